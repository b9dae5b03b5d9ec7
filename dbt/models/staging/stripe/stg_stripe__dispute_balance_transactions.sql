-- grain: one balance transaction of a dispute
with
{{ latest_landed('stripe', 'dispute_balance_transactions', key=['account_id', 'dispute_id', 'balance_transaction_id']) }},

final as (
    select
        account_id,
        dispute_id,
        balance_transaction_id,
        amount as amount_cents,
        fee as fee_cents,
        net as net_cents,
        upper(currency) as currency,
        reporting_category,
        created as created_at
    from latest
)

select *
from final
