-- grain: one type of artifact that a tenant exports at all: only there does the absence of one say anything
with final as (
    select distinct
        tenant_id,
        'agent_run_settlements' as artifact_type
    from {{ ref('stg_kernel__agent_run_settlements') }}

    union all

    select distinct
        tenant_id,
        artifact_type
    from {{ ref('stg_kernel__artifact_verdicts') }}
)

select *
from final
