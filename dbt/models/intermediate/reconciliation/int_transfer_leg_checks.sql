-- grain: one platform transfer whose payment on the connected account is missing or differs
{{ config(materialized='view') }}
with payments as (
    select
        account_id,
        charge_id,
        amount_cents,
        currency
    from {{ ref('stg_stripe__charges') }}
    where not is_platform
),

final as (
    select
        transfers.account_id,
        transfers.transfer_id,
        transfers.destination_payment_id,
        transfers.currency,
        transfers.created_at,
        {{ add_days('transfers.created_at', 'run.rail_booking_days') }} as expected_by,
        transfers.amount_cents as expected_cents,
        coalesce(payments.amount_cents, 0) as actual_cents,
        case
            when payments.charge_id is null and run.as_of < {{ add_days('transfers.created_at', 'run.rail_booking_days') }} then 'TIMING'
            when payments.charge_id is null then 'MISSING_EXTERNAL'
            when payments.amount_cents > transfers.amount_cents then 'AMOUNT_OVER'
            else 'AMOUNT_UNDER'
        end as reason_code
    from {{ ref('stg_stripe__transfers') }} as transfers
    cross join {{ ref('stg_tieout__run') }} as run
    inner join {{ ref('int_account_completeness') }} as accounts
        on
            transfers.destination_account_id = accounts.account_id
            and accounts.is_complete
    left join payments
        on
            transfers.destination_account_id = payments.account_id
            and transfers.destination_payment_id = payments.charge_id
    where
        transfers.is_platform
        and transfers.destination_payment_id is not null
        and (
            payments.charge_id is null
            or (payments.currency = transfers.currency and payments.amount_cents <> transfers.amount_cents)
        )
)

select *
from final
