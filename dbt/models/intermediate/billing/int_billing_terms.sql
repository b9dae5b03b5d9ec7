-- grain: one tenant with the terms of its plan: the catalog's, each replaced by an override where there is one
with tenants as (
    select tenant_id
    from {{ ref('stg_kernel__billable_events') }}

    union

    select tenant_id
    from {{ ref('stg_kernel__tenant_profiles') }}
),

chosen as (
    select
        tenants.tenant_id,
        profiles.tenant_id is not null and coalesce(profiles.subscription_plan, profiles.plan) is not null as is_plan_stated,
        lower(coalesce(
            case
                when coalesce(profiles.subscription_status, 'active') not in ('canceled', 'cancelled', 'incomplete_expired', 'ended', 'terminated')
                    then profiles.subscription_plan
            end,
            profiles.plan,
            'free'
        )) as plan,
        profiles.override_subscription_cents,
        profiles.override_included_verified_runs,
        profiles.override_overage_shown_millicents,
        profiles.override_overage_millicents,
        profiles.override_settled_volume_fee_bps,
        profiles.override_arbitration_case_fee_cents,
        profiles.override_hard_limit_verified_runs,
        coalesce(profiles.hard_limit_enforced, true) as is_hard_limit_enforced
    from tenants
    left join {{ ref('stg_kernel__tenant_profiles') }} as profiles
        on tenants.tenant_id = profiles.tenant_id
),

final as (
    select
        chosen.tenant_id,
        chosen.plan,
        chosen.is_plan_stated,
        plans.plan is not null as is_plan_known,
        coalesce(chosen.override_subscription_cents, plans.subscription_cents) as subscription_cents,
        coalesce(chosen.override_included_verified_runs, plans.included_verified_runs) as included_verified_runs,
        -- A rate overridden in cents is meant: the original shows it and goes on charging the catalog's.
        coalesce(chosen.override_overage_millicents, chosen.override_overage_shown_millicents, plans.overage_millicents) as overage_millicents,
        coalesce(chosen.override_overage_millicents, plans.overage_millicents) as kernel_overage_millicents,
        coalesce(chosen.override_overage_shown_millicents, plans.overage_millicents) as kernel_overage_shown_millicents,
        coalesce(chosen.override_settled_volume_fee_bps, plans.settled_volume_fee_bps) as settled_volume_fee_bps,
        coalesce(chosen.override_arbitration_case_fee_cents, plans.arbitration_case_fee_cents) as arbitration_case_fee_cents,
        coalesce(chosen.override_hard_limit_verified_runs, plans.hard_limit_verified_runs) as hard_limit_verified_runs,
        chosen.is_hard_limit_enforced
    from chosen
    left join {{ ref('billing_plans') }} as plans
        on chosen.plan = plans.plan
)

select *
from final
