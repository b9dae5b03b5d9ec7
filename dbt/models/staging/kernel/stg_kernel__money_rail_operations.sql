-- grain: one money rail operation in its latest state
{{ carry_landing('kernel', 'money_rail_operations', key=['tenant_id', 'provider_id', 'operation_id']) }}
with
{{ latest_landed('kernel', 'money_rail_operations', key=['tenant_id', 'provider_id', 'operation_id'], newest_first=['updated_at']) }},

final as (
    select
        tenant_id,
        provider_id,
        operation_id,
        direction,
        idempotency_key,
        amount_cents,
        currency,
        counterparty_ref,
        state as operation_state,
        provider_ref,
        reason_code,
        initiated_at,
        submitted_at,
        confirmed_at,
        failed_at,
        cancelled_at,
        reversed_at,
        created_at,
        updated_at,
        payout_key,
        payout_artifact_hash,
        period,
        party_id,
        stripe_connect_account_id,
        payout_amount_gross_cents,
        payout_amount_net_cents,
        chargeback_recovery_applied_cents,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
