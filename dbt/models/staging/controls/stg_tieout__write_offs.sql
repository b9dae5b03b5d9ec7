-- grain: one operator line of the book of write-offs
with
{{ latest_landed('tieout', 'write_offs', key=['seq']) }},

final as (
    select
        seq,
        act_id as write_off_id,
        action,
        tenant_id,
        entry_kind,
        party_id,
        break_id,
        drift_cents,
        amount_cents,
        currency,
        evidence_url,
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
