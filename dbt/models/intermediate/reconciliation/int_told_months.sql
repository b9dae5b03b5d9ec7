-- grain: one month of a tenant that its kernel closed and that a publication has told since: what comes later changes it no more
with told as (
    select
        tenant_id,
        as_of
    from {{ ref('stg_tieout__matched_spans') }}

    union distinct

    select
        tenant_id,
        as_of
    from {{ ref('stg_tieout__breaks') }}
    -- A publication from before amounts were kept says nothing of them.
    where open_cents is not null
),

final as (
    select
        closes.tenant_id,
        closes.period,
        min(told.as_of) as told_at
    from {{ ref('stg_kernel__month_closes') }} as closes
    cross join {{ ref('stg_tieout__run') }} as run
    inner join told
        on
            closes.tenant_id = told.tenant_id
            and told.as_of < run.as_of
            and told.as_of >= closes.closed_at
    where closes.close_status = 'CLOSED'
    group by closes.tenant_id, closes.period
)

select *
from final
