-- grain: one reversal of a transfer
with
{{ latest_landed('stripe', 'transfer_reversals', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        id as transfer_reversal_id,
        transfer as transfer_id,
        amount as amount_cents,
        upper(currency) as currency,
        balance_transaction as balance_transaction_id,
        created as created_at,
        meta_tenant_id,
        meta_operation_id,
        meta_provider_id,
        meta_payout_key,
        meta_receipt_id
    from latest
)

select *
from final
