-- grain: one dispute envelope
with
{{ first_landed('kernel', 'dispute_envelopes', key=['tenant_id', 'envelope_id']) }},

final as (
    select
        tenant_id,
        envelope_id,
        case_id,
        agreement_hash,
        receipt_hash,
        hold_hash,
        reason_code,
        opened_at,
        envelope_hash,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from original
)

select *
from final
