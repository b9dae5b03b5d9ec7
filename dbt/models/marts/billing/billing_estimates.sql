-- grain: one tenant and month: what the original would estimate, and where its use stands against the hard limit
with used as (
    select
        tenant_id,
        period,
        {{ sum_cents('verified_runs') }} as verified_runs,
        -- The original adds volume without regard to currency.
        {{ sum_cents('settled_volume_cents') }} as settled_volume_cents,
        {{ sum_cents('arbitration_cases') }} as arbitration_cases
    from {{ ref('int_billing_usage') }}
    group by tenant_id, period
),

estimated as (
    select
        used.*,
        terms.plan,
        terms.is_plan_stated,
        terms.is_plan_known,
        terms.subscription_cents,
        terms.included_verified_runs,
        terms.kernel_overage_millicents,
        terms.kernel_overage_shown_millicents,
        terms.settled_volume_fee_bps,
        terms.arbitration_case_fee_cents,
        terms.hard_limit_verified_runs,
        terms.is_hard_limit_enforced,
        greatest(0, used.verified_runs - terms.included_verified_runs) as overage_runs
    from used
    inner join {{ ref('int_billing_terms') }} as terms
        on used.tenant_id = terms.tenant_id
),

priced as (
    select
        estimated.*,
        {{ int_div('overage_runs * kernel_overage_millicents + 500', '1000') }} as overage_cents,
        {{ share_of('settled_volume_cents', 'settled_volume_fee_bps', '10000') }} as settled_volume_fee_cents,
        arbitration_cases * arbitration_case_fee_cents as arbitration_fee_cents
    from estimated
),

final as (
    select
        tenant_id,
        period,
        plan,
        is_plan_stated,
        verified_runs,
        settled_volume_cents,
        arbitration_cases,
        subscription_cents,
        included_verified_runs,
        kernel_overage_millicents,
        kernel_overage_shown_millicents,
        settled_volume_fee_bps,
        arbitration_case_fee_cents,
        cast(overage_runs as bigint) as overage_runs,
        cast(overage_runs * kernel_overage_millicents as bigint) as overage_total_millicents,
        overage_cents,
        settled_volume_fee_cents,
        arbitration_fee_cents,
        subscription_cents + overage_cents + settled_volume_fee_cents + arbitration_fee_cents as total_estimated_cents,
        'USD' as currency,
        hard_limit_verified_runs,
        case
            when not is_plan_known then 'BILLING_PLAN_UNKNOWN'
            -- The next run would be refused: used + 1 > limit.
            when is_hard_limit_enforced and hard_limit_verified_runs > 0 and verified_runs + 1 > hard_limit_verified_runs
                then 'BILLING_PLAN_LIMIT_EXCEEDED'
        end as limit_code,
        case
            when is_hard_limit_enforced and hard_limit_verified_runs > 0 then cast(greatest(0, verified_runs - hard_limit_verified_runs) as bigint)
            else 0
        end as runs_over_limit
    from priced
)

select *
from final
