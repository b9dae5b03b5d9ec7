-- grain: one payout instruction with all that the original's enqueue call would look at
{{ config(materialized='view') }}
with final as (
    select
        subjects.*,
        controls.has_kernel_controls,
        controls.emergency_code,
        controls.kernel_real_money,
        controls.kernel_killed,
        -- The original's spelling: null and empty list mean every provider, null and 0 mean no limit.
        controls.kernel_denies_provider and controls.allowed_provider_ids <> '|' as is_provider_refused,
        controls.kernel_degraded and controls.kernel_denies_enqueue as is_enqueue_denied,
        coalesce(controls.max_payout_amount_cents, 0) as single_limit_cents,
        coalesce(controls.daily_payout_limit_cents, 0) as daily_limit_cents,
        coalesce(controls.max_outstanding_cents, 0) as outstanding_limit_cents,
        controls.kernel_chargebacks,
        controls.kernel_policy_mode,
        controls.kernel_connect and subjects.provider_mode = 'production' and subjects.provider_id like 'stripe%' as needs_account,
        destinations.kernel_account_id,
        case when controls.kernel_chargebacks then coalesce(exposure.outstanding_cents, 0) else 0 end as outstanding_cents,
        -- Asked again, a payout is not counted against itself: the original did so by mistake.
        coalesce(today.committed_cents, 0)
        - case when own.provider_id = subjects.provider_id then own.amount_cents else 0 end as committed_cents
    from {{ ref('int_payout_subjects') }} as subjects
    left join {{ ref('int_payout_controls') }} as controls
        on
            subjects.tenant_id = controls.tenant_id
            and coalesce(subjects.provider_id, '') = controls.provider_key
    left join {{ ref('int_payout_destinations') }} as destinations
        on
            subjects.tenant_id = destinations.tenant_id
            and subjects.payout_key = destinations.payout_key
    left join {{ ref('int_kernel_exposure') }} as exposure
        on
            subjects.tenant_id = exposure.tenant_id
            and subjects.provider_id = exposure.provider_id
            and subjects.party_id = exposure.party_id
            and exposure.query_period = 'all'
    left join {{ ref('int_kernel_commitments') }} as today
        on
            subjects.tenant_id = today.tenant_id
            and subjects.provider_id = today.provider_id
    left join {{ ref('int_payout_operations') }} as own
        on
            subjects.tenant_id = own.tenant_id
            and subjects.payout_key = own.payout_key
            and own.is_live
            and cast(own.initiated_at as date) = cast(subjects.as_of as date)
)

select *
from final
