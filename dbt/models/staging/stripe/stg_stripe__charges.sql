-- grain: one charge on one account
{{ carry_landing('stripe', 'charges', key=['account_id', 'id'], named={'id': 'charge_id'}) }}
with
{{ latest_landed('stripe', 'charges', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        is_platform,
        id as charge_id,
        amount as amount_cents,
        amount_captured as captured_cents,
        amount_refunded as refunded_cents,
        upper(currency) as currency,
        balance_transaction as balance_transaction_id,
        application_fee_amount as application_fee_cents,
        status as charge_status,
        paid as is_paid,
        disputed as is_disputed,
        source_transfer as source_transfer_id,
        transfer as transfer_id,
        transfer_group,
        destination as destination_account_id,
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
