-- grain: one content of one artifact in one export
with
{{ all_landed('kernel', 'artifact_verdicts') }},

final as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        verdict,
        got,
        period,
        occurrence,
        received_at
    from latest
)

select *
from final
