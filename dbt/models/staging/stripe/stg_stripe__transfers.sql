-- grain: one transfer to a connected account
{{ carry_landing('stripe', 'transfers', key=['account_id', 'id'], named={'id': 'transfer_id'}) }}
with
{{ latest_landed('stripe', 'transfers', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        is_platform,
        id as transfer_id,
        amount as amount_cents,
        amount_reversed as reversed_cents,
        reversed as is_reversed,
        upper(currency) as currency,
        balance_transaction as balance_transaction_id,
        destination as destination_account_id,
        destination_payment as destination_payment_id,
        source_transaction as source_charge_id,
        transfer_group,
        livemode,
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
