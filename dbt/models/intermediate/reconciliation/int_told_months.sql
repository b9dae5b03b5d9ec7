-- grain: one month of a tenant that its kernel closed and that a publication has told since: what comes later changes it no more
with kept as (
    select
        tenant_id,
        as_of
    from {{ ref('stg_tieout__matched_spans') }}

    union all

    select
        tenant_id,
        as_of
    from {{ ref('stg_tieout__breaks') }}
    -- A publication from before amounts were kept says nothing of them.
    where open_cents is not null
),

since as (
    select
        tenant_id,
        min(as_of) as first_told_at
    from kept
    group by tenant_id
),

final as (
    select
        closes.tenant_id,
        closes.period,
        min(log.as_of) as told_at
    from {{ ref('stg_kernel__month_closes') }} as closes
    cross join {{ ref('stg_tieout__run') }} as run
    inner join since
        on closes.tenant_id = since.tenant_id
    inner join {{ ref('stg_tieout__run_log') }} as log
        on
            log.as_of >= closes.closed_at
            and log.as_of >= since.first_told_at
            and log.as_of < run.as_of
    where closes.close_status = 'CLOSED'
    group by closes.tenant_id, closes.period
)

select *
from final
