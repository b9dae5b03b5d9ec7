-- grain: one application fee
with
{{ latest_landed('stripe', 'application_fees', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        is_platform,
        id as application_fee_id,
        account as fee_account_id,
        amount as amount_cents,
        amount_refunded as refunded_cents,
        upper(currency) as currency,
        balance_transaction as balance_transaction_id,
        charge as charge_id,
        originating_transaction,
        created as created_at
    from latest
)

select *
from final
