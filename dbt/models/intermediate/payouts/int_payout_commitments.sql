-- grain: one payout key that is paid or may be paid, by kernel operation, journal or rail, with or without instruction
with keyed as (
    select
        tenant_id,
        payout_key,
        party_id,
        period,
        currency
    from {{ ref('int_payout_operations') }}
    where
        is_paid
        or is_initiated

    union all

    select
        tenant_id,
        payout_key,
        party_id,
        period,
        currency
    from {{ ref('int_payout_journal') }}
    where is_bound

    union all

    select
        tenant_id,
        payout_key,
        party_id,
        period,
        currency
    from {{ ref('int_payout_states') }}
    where is_committed
),

final as (
    select
        tenant_id,
        payout_key,
        min(party_id) as party_id,
        min(period) as period,
        min(currency) as currency
    from keyed
    group by tenant_id, payout_key
)

select *
from final
