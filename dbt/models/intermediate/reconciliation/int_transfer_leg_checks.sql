-- grain: one platform transfer whose payment on the connected account is missing or differs
{{ config(materialized='view') }}
with payments as (
    select
        charges.account_id,
        charges.charge_id,
        charges.source_transfer_id,
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

named as (
    select
        transfers.account_id,
        transfers.transfer_id,
        transfers.destination_payment_id,
        transfers.created_at,
        transfers.amount_cents as sent_cents,
        transfers.currency as sent_currency,
        payments.charge_id,
        payments.source_transfer_id,
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

repeated as (
    select
        account_id,
        destination_payment_id
    from named
    group by account_id, destination_payment_id
    having count(*) > 1
),

-- One payment is one transfer's: its own, where it says so, else the first that names it.
claims as (
    select
        named.account_id,
        named.transfer_id,
        row_number() over (
            partition by named.account_id, named.destination_payment_id
            order by
                case when named.source_transfer_id = named.transfer_id then 0 else 1 end asc nulls last,
                case when named.charge_id is null then 1 else 0 end asc nulls last,
                named.created_at asc nulls last,
                named.transfer_id asc nulls last
        ) as claim_rank
    from named
    inner join repeated
        on
            named.account_id = repeated.account_id
            and named.destination_payment_id = repeated.destination_payment_id
),

paired as (
    select
        named.account_id,
        named.transfer_id,
        case when coalesce(claims.claim_rank, 1) = 1 then named.destination_payment_id else named.transfer_id end as object_id,
        named.created_at,
        named.sent_cents,
        named.sent_currency,
        case when coalesce(claims.claim_rank, 1) = 1 then named.charge_id end as charge_id,
        named.arrived_cents,
        named.arrived_currency,
        named.rate_billionths,
        named.is_listed,
        named.is_other_currency and coalesce(claims.claim_rank, 1) = 1 as is_other_currency
    from named
    left join claims
        on
            named.account_id = claims.account_id
            and named.transfer_id = claims.transfer_id
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
        object_id,
        case when is_converted then arrived_currency else sent_currency end as currency,
        created_at,
        expected_by,
        due_cents as expected_cents,
        case when charge_id is null or (is_other_currency and not is_converted) then 0 else arrived_cents end as actual_cents,
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
