-- grain: one adjustment
with
{{ first_landed('kernel', 'settlement_adjustments', key=['tenant_id', 'adjustment_id']) }},

final as (
    select
        tenant_id,
        adjustment_id,
        agreement_hash,
        receipt_hash,
        hold_hash,
        kind as adjustment_kind,
        amount_cents,
        currency,
        verdict_case_id,
        verdict_hash,
        created_at,
        adjustment_hash,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from original
)

select *
from final
