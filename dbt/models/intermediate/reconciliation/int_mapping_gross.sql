-- grain: one tenant, period and currency: gross money by what it maps to, and the lowest level in use
{{ config(materialized='view') }}
with payouts as (
    select
        tenant_id,
        period,
        currency,
        gross_cents,
        mapping_level
    from {{ ref('int_payout_mapping') }}
),

collections as (
    select
        tenant_id,
        period,
        currency,
        case when amount_cents < 0 then -amount_cents else amount_cents end as gross_cents,
        case when amount_code = 'MISSING_INTERNAL' then 'none' else 'receipt' end as mapping_level
    from {{ ref('int_movement_outcomes') }}
    where movement_type = 'collection'
),

orphans as (
    select
        tenant_id,
        period,
        currency,
        case when amount_cents < 0 then -amount_cents else amount_cents end as gross_cents,
        'none' as mapping_level
    from {{ ref('int_movement_outcomes') }}
    where
        movement_type = 'payout'
        and payout_key is null
),

required as (
    select * from payouts
    union all
    select * from collections
    union all
    select * from orphans
),

final as (
    select
        tenant_id,
        period,
        currency,
        {{ sum_cents('gross_cents') }} as required_cents,
        {{ sum_cents("case when mapping_level = 'receipt' then gross_cents else 0 end") }} as receipt_cents,
        max(case mapping_level
            when 'none' then 3
            when 'operation' then 2
            when 'ledger' then 1
            else 0
        end) as worst_level
    from required
    group by tenant_id, period, currency
)

select *
from final
