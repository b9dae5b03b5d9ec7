-- grain: one open break in the order an operator should take it
with final as (
    select
        drift.tenant_id,
        drift.break_id,
        drift.priority,
        drift.reason_code,
        drift.drift_cents,
        drift.currency,
        drift.age_days,
        drift.triage_status,
        drift.owner,
        {{ add_days('drift.first_seen_at', 'drift.priority') }} as due_at,
        codes.suggested_action,
        'docs/runbooks.md#' || codes.runbook as runbook
    from {{ ref('reconciliation_drift') }} as drift
    left join {{ ref('reason_codes') }} as codes
        on drift.reason_code = codes.reason_code
    where drift.outcome = 'break'
)

select *
from final
