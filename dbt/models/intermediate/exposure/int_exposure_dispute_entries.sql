-- grain: one effect (principal or fee) of one dispute balance transaction on one party
-- The slices of one charge are cut by cumulative rounding: they always add up to the whole.
{{ config(materialized='view') }}
with shared as (
    select
        withdrawn.dispute_id,
        withdrawn.balance_transaction_id,
        withdrawn.dispute_status,
        withdrawn.currency,
        withdrawn.created_at,
        coalesce(shares.tenant_id, '_platform') as tenant_id,
        shares.party_id,
        case
            when shares.charge_id is null then withdrawn.amount_cents
            else
                {{ share_of('withdrawn.amount_cents', 'shares.slice_to', 'shares.slice_total') }}
                - {{ share_of('withdrawn.amount_cents', 'shares.slice_from', 'shares.slice_total') }}
        end as amount_cents,
        case
            when shares.charge_id is null then withdrawn.fee_cents
            else
                {{ share_of('withdrawn.fee_cents', 'shares.slice_to', 'shares.slice_total') }}
                - {{ share_of('withdrawn.fee_cents', 'shares.slice_from', 'shares.slice_total') }}
        end as fee_cents
    from {{ ref('int_exposure_dispute_movements') }} as withdrawn
    left join {{ ref('int_exposure_charge_shares') }} as shares
        on withdrawn.charge_id = shares.charge_id
),

final as (
    select
        tenant_id,
        party_id,
        coalesce(party_id, '') as party_key,
        currency,
        case when amount_cents < 0 then 'dispute' else 'reinstatement' end as entry_kind,
        balance_transaction_id || ':principal' as entry_id,
        dispute_id as source_id,
        dispute_status as source_status,
        created_at as occurred_at,
        -amount_cents as debt_cents
    from shared
    where amount_cents <> 0

    union all

    select
        tenant_id,
        party_id,
        coalesce(party_id, '') as party_key,
        currency,
        'fee' as entry_kind,
        balance_transaction_id || ':fee' as entry_id,
        dispute_id as source_id,
        dispute_status as source_status,
        created_at as occurred_at,
        fee_cents as debt_cents
    from shared
    where fee_cents <> 0
)

select *
from final
