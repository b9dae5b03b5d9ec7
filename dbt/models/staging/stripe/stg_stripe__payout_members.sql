-- grain: one balance transaction of an automatic payout
with
{{ latest_landed('stripe', 'payout_members', key=['account_id', 'payout_id', 'balance_transaction_id']) }},

final as (
    select
        account_id,
        payout_id,
        balance_transaction_id,
        net as net_cents,
        upper(currency) as currency
    from latest
)

select *
from final
