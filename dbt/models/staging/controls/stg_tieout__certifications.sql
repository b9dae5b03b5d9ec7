-- grain: one operator line of the book of certifications
with
{{ latest_landed('tieout', 'certifications', key=['seq']) }},

final as (
    select
        seq,
        act_id as certification_id,
        action,
        tenant_id,
        period,
        verdict,
        run_id,
        packet_sha256,
        figures_sha256,
        operator,
        reason,
        line_status,
        void_code,
        line_sha256,
        latest.at as occurred_at
    from latest
)

select *
from final
