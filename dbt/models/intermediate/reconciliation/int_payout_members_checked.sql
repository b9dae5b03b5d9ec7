-- grain: one automatic bank payout whose members do not sum to nought, or a failed one whose money did not come back
{{ config(materialized='view') }}
with members as (
    select
        account_id,
        payout_id,
        {{ sum_cents('net_cents') }} as net_cents
    from {{ ref('stg_stripe__payout_members') }}
    group by account_id, payout_id
),

returned as (
    select
        account_id,
        object_id as payout_id,
        {{ sum_cents('amount_cents') }} as returned_cents
    from {{ ref('int_movements_linked') }}
    where movement_type = 'bank_payout_reversal'
    group by account_id, object_id
),

joined as (
    select
        payouts.account_id,
        payouts.payout_id,
        payouts.currency,
        payouts.created_at,
        payouts.amount_cents as said_cents,
        payouts.payout_status,
        members.net_cents,
        coalesce(returned.returned_cents, 0) as returned_cents
    from {{ ref('stg_stripe__payouts') }} as payouts
    left join members
        on
            payouts.account_id = members.account_id
            and payouts.payout_id = members.payout_id
    left join returned
        on
            payouts.account_id = returned.account_id
            and payouts.payout_id = returned.payout_id
    where payouts.balance_transaction_id is not null
),

final as (
    select
        account_id,
        payout_id,
        currency,
        created_at,
        case
            when payout_status in ('failed', 'canceled') and returned_cents <> said_cents then 'STATUS_CONFLICT'
            when payout_status not in ('failed', 'canceled') and returned_cents <> 0 then 'STATUS_CONFLICT'
            when net_cents > 0 then 'AMOUNT_OVER'
            else 'AMOUNT_UNDER'
        end as reason_code,
        case when payout_status in ('failed', 'canceled') then 0 else said_cents end as expected_cents,
        case
            when payout_status in ('failed', 'canceled') or returned_cents <> 0 then said_cents - returned_cents
            else said_cents + net_cents
        end as actual_cents
    from joined
    where
        (payout_status in ('failed', 'canceled') and returned_cents <> said_cents)
        or (payout_status not in ('failed', 'canceled') and returned_cents <> 0)
        or net_cents <> 0
)

select *
from final
