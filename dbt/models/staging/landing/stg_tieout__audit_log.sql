-- grain: one act of the audit trail
with
{{ latest_landed('tieout', 'audit_log', key=['seq']) }},

final as (
    select
        seq,
        tenant_id,
        actor,
        action,
        subject,
        reason,
        before as before_text,
        after as after_text,
        prev_hash,
        entry_hash,
        chain_status,
        latest.at as occurred_at
    from latest
)

select *
from final
