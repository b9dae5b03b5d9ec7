-- grain: one open break that may hold payouts: what we ourselves have still to pay is none
with open_breaks as (
    select
        drift.tenant_id,
        drift.party_id,
        drift.payout_key,
        drift.break_id,
        drift.currency,
        drift.drift_cents,
        -- A break without an amount difference (a wrong destination) weighs what moved.
        case
            when drift.drift_cents <> 0 then abs(drift.drift_cents)
            else greatest(abs(coalesce(drift.expected_cents, 0)), abs(coalesce(drift.actual_cents, 0)))
        end as size_cents,
        coalesce(own.setting_value, every.setting_value, 0) as materiality_cents,
        coalesce(drift.actual_cents, 0) = 0
        and drift.reason_code in ('MISSING_EXTERNAL', 'TIMING', 'LATE_SETTLEMENT') as is_non_payment,
        coalesce(subjects.is_ours_to_pay and not subjects.is_paid and not subjects.is_unresolved, false) as is_our_work
    from {{ ref('reconciliation_drift') }} as drift
    left join {{ ref('gate_settings') }} as own
        on
            own.setting = 'materiality_cents'
            and drift.currency = own.currency
    left join {{ ref('gate_settings') }} as every
        on
            every.setting = 'materiality_cents'
            and every.currency = '*'
    left join {{ ref('int_payout_subjects') }} as subjects
        on
            drift.tenant_id = subjects.tenant_id
            and drift.payout_key = subjects.payout_key
    where
        drift.outcome = 'break'
        and drift.lifecycle <> 'resolved'
        -- Two people took this one upon themselves, at this amount and until a date.
        and drift.override_id is null
        -- A changed certified figure asks for a new certification; what is wrong in it is a break of its own.
        and drift.reason_code <> 'RESTATED'
),

final as (
    select
        tenant_id,
        party_id,
        payout_key,
        break_id,
        currency,
        drift_cents,
        size_cents,
        is_non_payment,
        size_cents >= materiality_cents as is_material
    from open_breaks
    where not (is_non_payment and is_our_work)
)

select *
from final
