-- grain: one platform transfer whose payment on the connected account is missing or differs
{{ config(materialized='view') }}
with payments as (
    select
        charges.account_id,
        charges.charge_id,
        charges.amount_cents,
        charges.currency,
        {{ billionths('transactions.exchange_rate_text') }} as rate_billionths,
        -- A movement that only a report told of came without its rate.
        transactions.balance_transaction_type is not null as is_listed
    from {{ ref('stg_stripe__charges') }} as charges
    left join {{ ref('stg_stripe__balance_transactions') }} as transactions
        on
            charges.account_id = transactions.account_id
            and charges.balance_transaction_id = transactions.balance_transaction_id
    where not charges.is_platform
),

paired as (
    select
        transfers.account_id,
        transfers.transfer_id,
        transfers.destination_payment_id,
        transfers.created_at,
        transfers.amount_cents as sent_cents,
        transfers.currency as sent_currency,
        payments.charge_id,
        payments.amount_cents as arrived_cents,
        payments.currency as arrived_currency,
        payments.rate_billionths,
        payments.is_listed,
        coalesce(payments.currency <> transfers.currency, false) as is_other_currency
    from {{ ref('stg_stripe__transfers') }} as transfers
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
),

-- A transfer that arrives in another currency follows from the rate of the movement that brought it.
arrived as (
    select
        paired.*,
        {{ add_days('paired.created_at', 'run.rail_booking_days') }} as expected_by,
        run.as_of,
        run.conversion_tolerance_cents,
        paired.is_other_currency and paired.rate_billionths is not null as is_converted,
        case
            when paired.is_other_currency and paired.rate_billionths is not null
                then {{ at_rate('paired.sent_cents', 'paired.rate_billionths') }}
            else paired.sent_cents
        end as due_cents
    from paired
    cross join {{ ref('stg_tieout__run') }} as run
),

final as (
    select
        account_id,
        transfer_id,
        destination_payment_id,
        case when is_converted then arrived_currency else sent_currency end as currency,
        created_at,
        expected_by,
        due_cents as expected_cents,
        case when is_other_currency and not is_converted then 0 else coalesce(arrived_cents, 0) end as actual_cents,
        case
            when charge_id is null and as_of < expected_by then 'TIMING'
            when charge_id is null then 'MISSING_EXTERNAL'
            when is_other_currency and not is_converted then 'CURRENCY_MISMATCH'
            when is_converted then 'FX_VARIANCE'
            when arrived_cents > due_cents then 'AMOUNT_OVER'
            else 'AMOUNT_UNDER'
        end as reason_code
    from arrived
    where
        charge_id is null
        or (is_other_currency and not is_converted and is_listed)
        or (is_converted and abs(arrived_cents - due_cents) > conversion_tolerance_cents)
        or (not is_other_currency and arrived_cents <> due_cents)
)

select *
from final
