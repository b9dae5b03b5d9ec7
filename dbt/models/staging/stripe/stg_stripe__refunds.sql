-- grain: one refund of a charge
with
{{ latest_landed('stripe', 'refunds', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        is_platform,
        id as refund_id,
        charge as charge_id,
        amount as amount_cents,
        upper(currency) as currency,
        status as refund_status,
        balance_transaction as balance_transaction_id,
        failure_balance_transaction as failure_balance_transaction_id,
        transfer_reversal as transfer_reversal_id,
        source_transfer_reversal as source_transfer_reversal_id,
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
