-- grain: one month of a tenant that its kernel closed, or the month of the run
with final as (
    select
        tenant_id,
        period
    from {{ ref('stg_kernel__month_closes') }}
    cross join {{ ref('stg_tieout__run') }} as run
    where period <= {{ period_of('run.as_of') }}

    union distinct

    select
        completeness.tenant_id,
        {{ period_of('run.as_of') }} as period
    from {{ ref('int_source_completeness') }} as completeness
    cross join {{ ref('stg_tieout__run') }} as run
)

select *
from final
