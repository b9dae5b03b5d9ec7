-- grain: one packet revision of a tenant and period
{{ config(tags=['acts']) }}
with final as (
    select
        tenant_id,
        period,
        revision,
        packet_sha256,
        previous_sha256,
        supersedes_sha256,
        verdict,
        path,
        log_index,
        as_of
    from {{ ref('stg_tieout__packets') }}
)

select *
from final
