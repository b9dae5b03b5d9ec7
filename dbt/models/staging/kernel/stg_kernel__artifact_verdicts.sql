-- grain: one kernel artifact
with
{{ latest_landed('kernel', 'artifact_verdicts', key=['tenant_id', 'artifact_type', 'artifact_id']) }},

final as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        verdict,
        code as verdict_code,
        expected,
        got,
        signature_status,
        period,
        manifest_status,
        received_at
    from latest
)

select *
from final
