-- grain: one line of the payout journal
with
{{ latest_landed('tieout', 'payout_journal', key=['seq']) }},

final as (
    select
        seq,
        payout_key,
        tenant_id,
        operation_id,
        attempt,
        idempotency_key,
        state as submission_state,
        transfer_id,
        amount_cents,
        recovery_cents,
        currency,
        destination_account_id,
        provider_id,
        party_id,
        period,
        decision_sha256,
        livemode,
        reason_code,
        latest.at as occurred_at
    from latest
)

select *
from final
