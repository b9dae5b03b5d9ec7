-- grain: one x402 receipt record in its latest state
with
{{ latest_landed('kernel', 'x402_receipts', key=['tenant_id', 'receipt_id'], newest_first=['updated_at']) }},

final as (
    select
        tenant_id,
        receipt_id,
        gate_id,
        run_id,
        payer_agent_id,
        provider_id,
        settlement_state,
        verification_status,
        settled_at,
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
