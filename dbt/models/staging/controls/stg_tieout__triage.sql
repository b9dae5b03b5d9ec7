-- grain: one operator line of the book of triage
with
{{ latest_landed('tieout', 'triage', key=['seq']) }},

final as (
    select
        seq,
        act_id as triage_id,
        action,
        tenant_id,
        break_id,
        triage_status,
        owner,
        due_at,
        note,
        resolution,
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
