-- grain: one fee line of a balance transaction
with
{{ latest_landed('stripe', 'balance_transaction_fees', key=['account_id', 'balance_transaction_id', 'fee_no']) }},

final as (
    select
        account_id,
        balance_transaction_id,
        fee_no,
        type as fee_type,
        amount as fee_cents,
        upper(currency) as currency
    from latest
)

select *
from final
