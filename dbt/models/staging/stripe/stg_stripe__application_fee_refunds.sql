-- grain: one refund of an application fee
with
{{ latest_landed('stripe', 'application_fee_refunds', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        id as application_fee_refund_id,
        fee as application_fee_id,
        amount as amount_cents,
        upper(currency) as currency,
        balance_transaction as balance_transaction_id,
        created as created_at
    from latest
)

select *
from final
