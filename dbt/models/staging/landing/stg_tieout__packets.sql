-- grain: one packet revision
with
{{ all_landed('tieout', 'packets') }},

final as (
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
    from latest
)

select *
from final
