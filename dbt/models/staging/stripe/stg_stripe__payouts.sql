-- grain: one payout to a bank account
with
{{ latest_landed('stripe', 'payouts', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        is_platform,
        id as payout_id,
        amount as amount_cents,
        upper(currency) as currency,
        status as payout_status,
        automatic as is_automatic,
        method as payout_method,
        type as payout_type,
        arrival_date,
        balance_transaction as balance_transaction_id,
        failure_balance_transaction as failure_balance_transaction_id,
        reconciliation_status,
        livemode,
        created as created_at
    from latest
)

select *
from final
