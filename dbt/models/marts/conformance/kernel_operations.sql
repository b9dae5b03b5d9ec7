-- grain: one money rail operation of the kernel in its latest state
with final as (
    select
        tenant_id,
        provider_id,
        operation_id,
        direction,
        operation_state,
        party_id,
        coalesce(period, nullif(regexp_extract(payout_key, ':period:([0-9]{4}-[0-9]{2}):', 1), '')) as period,
        payout_key,
        payout_artifact_hash,
        idempotency_key,
        amount_cents,
        currency,
        payout_amount_gross_cents,
        payout_amount_net_cents,
        chargeback_recovery_applied_cents,
        counterparty_ref,
        stripe_connect_account_id,
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
        artifact_sha256,
        verdict
    from {{ ref('stg_kernel__money_rail_operations') }}
)

select *
from final
