-- grain: one open break in the order an operator should take it
with final as (
    select
        drift.tenant_id,
        drift.break_id,
        drift.party_id,
        drift.period,
        drift.priority,
        drift.reason_code,
        drift.drift_cents,
        drift.currency,
        drift.age_days,
        drift.triage_status,
        drift.owner,
        -- What was seen while it waited is nobody's task before it is overdue.
        coalesce(
            triage.due_at, {{ add_days('greatest(drift.first_seen_at, drift.expected_by)', 'drift.priority') }}
        ) as due_at,
        triage.note,
        coalesce(triage.notes, 0) as notes,
        triage.resolution,
        coalesce(triage.last_seq, 0) as triage_seq,
        drift.override_id,
        codes.suggested_action,
        'docs/runbooks.md#' || codes.runbook as runbook
    from {{ ref('reconciliation_drift') }} as drift
    left join {{ ref('reason_codes') }} as codes
        on drift.reason_code = codes.reason_code
    left join {{ ref('int_triage') }} as triage
        on
            drift.tenant_id = triage.tenant_id
            and drift.break_id = triage.break_id
    where drift.outcome = 'break'
)

select *
from final
