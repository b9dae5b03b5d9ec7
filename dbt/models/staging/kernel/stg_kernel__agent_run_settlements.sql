-- grain: one settlement in its latest revision
{{ carry_landing('kernel', 'agent_run_settlements', key=['tenant_id', 'settlement_id']) }}
with
{{ latest_landed('kernel', 'agent_run_settlements', key=['tenant_id', 'settlement_id'], newest_first=['revision', 'updated_at']) }},

final as (
    select
        tenant_id,
        settlement_id,
        run_id,
        agent_id,
        payer_agent_id,
        amount_cents,
        currency,
        status as settlement_status,
        released_amount_cents,
        refunded_amount_cents,
        dispute_status,
        dispute_window_ends_at,
        locked_at,
        resolved_at,
        revision,
        current_receipt_id,
        created_at,
        updated_at,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
