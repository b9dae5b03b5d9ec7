-- grain: one party of one provider in one view (all, or a month): exposure by the original's own algorithm
with summed as (
    select
        tenant_id,
        provider_id,
        party_id,
        query_period,
        {{ sum_cents('applied_cents') }} as outstanding_cents,
        {{ sum_cents('case when step_cents > 0 then step_cents end') }} as reversed_cents,
        {{ sum_cents('case when step_cents < 0 then -applied_cents end') }} as recovered_cents,
        count(case when step_cents > 0 then 1 end) as reversed_count,
        count(case when step_cents < 0 and applied_cents < 0 then 1 end) as recovery_count,
        max(reversed_at) as latest_reversed_at
    from {{ ref('int_kernel_exposure_steps') }}
    group by tenant_id, provider_id, party_id, query_period
),

final as (
    select
        tenant_id,
        provider_id,
        party_id,
        query_period,
        outstanding_cents,
        reversed_cents,
        recovered_cents,
        reversed_count,
        recovery_count,
        latest_reversed_at,
        case when outstanding_cents > 0 then 'negative_balance' else 'clear' end as kernel_status,
        -- The original lists only parties that ever had a reversal.
        reversed_count > 0 as is_listed
    from summed
)

select *
from final
