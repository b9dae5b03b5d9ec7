-- grain: one arbitration verdict
with
{{ first_landed('kernel', 'arbitration_verdicts', key=['tenant_id', 'verdict_id']) }},

final as (
    select
        tenant_id,
        verdict_id,
        case_id,
        run_id,
        settlement_id,
        outcome as verdict_outcome,
        release_rate_pct,
        issued_at,
        verdict_hash,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from original
)

select *
from final
