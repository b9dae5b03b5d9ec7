-- grain: one month of a tenant that its kernel closed and that a publication told, knowing so: later rows change it no more
with kept as (
    select as_of
    from {{ ref('stg_tieout__matched_spans') }}

    union all

    select as_of
    from {{ ref('stg_tieout__breaks') }}
    where open_cents is not null
),

-- A publication from before amounts were kept told nothing that could be told again.
first_kept as (
    select min(as_of) as first_kept_at
    from kept
),

final as (
    select
        closes.tenant_id,
        closes.period,
        min(log.as_of) as told_at
    from {{ ref('stg_kernel__first_closes') }} as closes
    cross join {{ ref('stg_tieout__run') }} as run
    cross join first_kept
    inner join {{ ref('stg_tieout__run_log') }} as log
        on
            log.as_of >= closes.closed_at
            and log.known_at >= closes.received_at
            and log.as_of >= first_kept.first_kept_at
            and log.as_of < run.as_of
    group by closes.tenant_id, closes.period
)

select *
from final
