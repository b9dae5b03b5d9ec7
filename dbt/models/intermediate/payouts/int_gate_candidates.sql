-- grain: one payout instruction: whether anything but a sum stands against it, and since when it is payable
{{ config(materialized='view') }}
with conditions as (
    select
        tenant_id,
        payout_key,
        holds
    from {{ ref('int_gate_control_conditions') }}

    union all

    select
        tenant_id,
        payout_key,
        holds
    from {{ ref('int_gate_evidence_conditions') }}

    union all

    select
        tenant_id,
        payout_key,
        holds
    from {{ ref('int_gate_payment_conditions') }}
),

held as (
    select
        tenant_id,
        payout_key,
        max(case when holds then 1 else 0 end) as holds
    from conditions
    group by tenant_id, payout_key
),

final as (
    select
        subjects.tenant_id,
        subjects.payout_key,
        subjects.party_id,
        subjects.provider_id,
        subjects.currency,
        subjects.gross_cents,
        exposure.recoverable_cents,
        coalesce(controls.policy_mode, 'hold') as policy_mode,
        greatest(subjects.closed_at, subjects.generated_at, holdbacks.released_at) as payable_at,
        coalesce(held.holds, 1) = 0
        and kernel.kernel_condition is null
        and subjects.gross_cents > 0 as is_candidate
    from {{ ref('int_payout_subjects') }} as subjects
    inner join {{ ref('int_payout_exposure') }} as exposure
        on
            subjects.tenant_id = exposure.tenant_id
            and subjects.payout_key = exposure.payout_key
    inner join {{ ref('int_payout_holdbacks') }} as holdbacks
        on
            subjects.tenant_id = holdbacks.tenant_id
            and subjects.payout_key = holdbacks.payout_key
    inner join {{ ref('int_kernel_gates') }} as kernel
        on
            subjects.tenant_id = kernel.tenant_id
            and subjects.payout_key = kernel.payout_key
    left join {{ ref('int_payout_controls') }} as controls
        on
            subjects.tenant_id = controls.tenant_id
            and coalesce(subjects.provider_id, '') = controls.provider_key
    left join held
        on
            subjects.tenant_id = held.tenant_id
            and subjects.payout_key = held.payout_key
)

select *
from final
