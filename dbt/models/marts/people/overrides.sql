-- grain: one proposed override, void ones included, and why it does not count
with found as (
    select
        overrides.*,
        case
            when not overrides.is_in_force then overrides.void_code
            when overrides.subject_kind = 'break' then breaks.mismatch_code
            when conditions.condition_code is null then 'payout_gone'
            when coalesce(conditions.observed, '') <> overrides.observed then 'drift_changed'
            when subjects.gross_cents > overrides.amount_cents then 'over_amount'
        end as final_void_code
    from {{ ref('int_overrides') }} as overrides
    left join {{ ref('int_break_overrides') }} as breaks
        on overrides.override_id = breaks.override_id
    left join {{ ref('payout_gate_conditions') }} as conditions
        on
            overrides.tenant_id = conditions.tenant_id
            and overrides.payout_key = conditions.payout_key
            and overrides.condition_code = conditions.condition_code
    left join {{ ref('int_payout_subjects') }} as subjects
        on
            overrides.tenant_id = subjects.tenant_id
            and overrides.payout_key = subjects.payout_key
),

final as (
    select
        tenant_id,
        override_id,
        subject_kind,
        break_id,
        payout_key,
        condition_code,
        reason_code,
        drift_cents,
        amount_cents,
        currency,
        evidence_url,
        reason,
        proposed_by,
        proposed_at,
        approved_by,
        approved_at,
        revoked_by,
        revoked_at,
        expires_at,
        case
            when final_void_code is not null then 'void'
            when is_in_force then 'effective'
            else override_status
        end as override_status,
        final_void_code as void_code
    from found
)

select *
from final
