-- grain: one holdback in its latest revision
with
{{ latest_landed('kernel', 'funding_holds', key=['tenant_id', 'hold_hash'], newest_first=['revision', 'updated_at']) }},

final as (
    select
        tenant_id,
        hold_hash,
        agreement_hash,
        receipt_hash,
        payer_agent_id,
        payee_agent_id,
        amount_cents,
        held_amount_cents,
        currency,
        holdback_bps,
        challenge_window_ms,
        -- What no known word says has left is still held.
        case when status in ('released', 'refunded') then status else 'held' end as hold_status,
        status in ('held', 'released', 'refunded') as is_status_known,
        revision,
        created_at,
        updated_at,
        resolved_at,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
