-- grain: one party (null: unattributed) of a tenant in one currency that has any activity
{{ config(materialized='view') }}
with active as (
    select
        tenant_id,
        party_id,
        currency
    from {{ ref('int_exposure_totals') }}

    union distinct

    select
        tenant_id,
        party_id,
        currency
    from {{ ref('int_exposure_contingent') }}

    union distinct

    select
        tenant_id,
        party_id,
        currency
    from {{ ref('int_exposure_holdbacks') }}

    union distinct

    select
        tenant_id,
        party_id,
        currency
    from {{ ref('int_payout_instructions') }}

    union distinct

    select
        tenant_id,
        party_id,
        coalesce(currency, 'USD') as currency
    from {{ ref('stg_kernel__money_rail_operations') }}
    where
        direction = 'payout'
        and party_id is not null
),

final as (
    select
        tenant_id,
        party_id,
        currency,
        tenant_id || '|' || currency || '|' || coalesce(party_id, '') as exposure_key,
        row_number() over (partition by tenant_id, party_id order by currency asc nulls last) as currency_rank
    from active
)

select *
from final
