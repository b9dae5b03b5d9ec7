-- grain: one platform transfer: whose it is, which instruction it settles, or why none
{{ config(materialized='carried', carried_key=['transfer_id']) }}
with led as (
    select
        transfer_id,
        tenant_id,
        payout_key,
        match_method
    from {{ ref('int_transfer_references') }}
    where instructions = 1

    union all

    select
        transfer_id,
        tenant_id,
        payout_key,
        'nearest_amount' as match_method
    from {{ ref('int_transfer_nearest') }}
    where payout_key is not null
),

contested as (
    select distinct transfer_id
    from {{ ref('int_transfer_references') }}
    where instructions > 1
),

final as (
    select
        transfers.account_id,
        transfers.transfer_id,
        transfers.amount_cents,
        transfers.currency,
        transfers.created_at,
        transfers.destination_account_id,
        coalesce(led.tenant_id, owners.tenant_id, '_platform') as tenant_id,
        owners.party_id as owner_party_id,
        led.payout_key,
        led.match_method,
        case
            when led.payout_key is not null then null
            when contested.transfer_id is not null or nearest.candidates > 0 then 'AMBIGUOUS_MATCH'
            when nearest.transfer_id is not null then 'REFERENCE_MISSING'
            else 'MISSING_INTERNAL'
        end as unmatched_code
    from {{ ref('stg_stripe__transfers') }} as transfers
    left join led
        on transfers.transfer_id = led.transfer_id
    left join contested
        on transfers.transfer_id = contested.transfer_id
    left join {{ ref('int_transfer_nearest') }} as nearest
        on transfers.transfer_id = nearest.transfer_id
    left join {{ ref('int_account_owners') }} as owners
        on transfers.destination_account_id = owners.account_id
    where transfers.is_platform
)

select *
from final
