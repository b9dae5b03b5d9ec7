-- grain: one tenant with enough cleared payouts: by how many days after an instruction nearly all of them had cleared
{{ config(materialized='view') }}
with lags as (
    select
        allocations.tenant_id,
        case
            when allocations.created_at < allocations.instructed_at then 0
            else {{ days_between('allocations.instructed_at', 'allocations.created_at') }}
        end as lag_days,
        count(*) as cleared
    from {{ ref('int_transfer_allocations') }} as allocations
    where
        allocations.allocated_cents > 0
        and allocations.excess_code is null
    group by
        allocations.tenant_id,
        case
            when allocations.created_at < allocations.instructed_at then 0
            else {{ days_between('allocations.instructed_at', 'allocations.created_at') }}
        end
),

ranked as (
    select
        tenant_id,
        lag_days,
        sum(cleared) over (partition by tenant_id) as samples,
        sum(cleared) over (
            partition by tenant_id
            order by lag_days asc nulls last
            rows between unbounded preceding and current row
        ) as cleared_by_then
    from lags
),

-- The percentile by integer rank: the first day by which the asked share had cleared.
final as (
    select
        ranked.tenant_id,
        -- A lag of whole calendar days may last almost a day longer.
        min(ranked.lag_days) + 1 as due_days,
        cast(max(ranked.samples) as bigint) as samples
    from ranked
    cross join {{ ref('stg_tieout__run') }} as run
    where
        ranked.samples >= run.clearing_samples
        and ranked.cleared_by_then * 100 >= ranked.samples * run.clearing_percent
    group by ranked.tenant_id
)

select *
from final
