-- grain: one operator line of the book of overrides
with
{{ latest_landed('tieout', 'overrides', key=['seq']) }},

final as (
    select
        seq,
        act_id as override_id,
        action,
        tenant_id,
        break_id,
        payout_key,
        condition_code,
        observed,
        reason_code,
        drift_cents,
        amount_cents,
        currency,
        evidence_url,
        expires_at,
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
