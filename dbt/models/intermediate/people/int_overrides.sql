-- grain: one proposed override: whether two people stand behind it, in time and for something that may be overridden
with
{{ paired_acts(ref('stg_tieout__overrides'), 'override_id') }},

judged as (
    select
        paired.*,
        case when paired.break_id is not null then 'break' else 'condition' end as subject_kind,
        case
            when paired.act_status <> 'approved' then paired.act_void_code
            when paired.break_id is null and not coalesce(listed.overridable, false) then 'not_overridable'
            when paired.expires_at <= run.as_of then 'expired'
            -- Dead is dead: whatever comes back later is for two people to look at again.
            when ended.override_id is not null then 'drift_changed'
        end as override_void_code
    from paired
    cross join run
    left join {{ ref('int_ended_overrides') }} as ended
        on
            paired.tenant_id = ended.tenant_id
            and paired.override_id = ended.override_id
    left join {{ ref('gate_conditions') }} as listed
        on paired.condition_code = listed.condition_code
),

final as (
    select
        override_id,
        tenant_id,
        subject_kind,
        break_id,
        payout_key,
        condition_code,
        observed,
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
        case when override_void_code is not null then 'void' else act_status end as override_status,
        override_void_code as void_code,
        act_status = 'approved' and override_void_code is null as is_in_force
    from judged
)

select *
from final
