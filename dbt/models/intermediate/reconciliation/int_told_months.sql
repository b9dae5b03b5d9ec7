-- grain: one month of a tenant that its kernel closed and that a publication has told since: what comes later changes it no more
with publications as (
    select log.as_of
    from {{ ref('stg_tieout__run_log') }} as log
    cross join {{ ref('stg_tieout__run') }} as run
    where log.as_of < run.as_of
),

-- What is known of a tenant since its first publication, as far as amounts were kept then.
present as (
    select
        tenant_id,
        as_of
    from {{ ref('stg_tieout__breaks') }}
    where open_cents is not null

    union all

    select
        packets.tenant_id,
        packets.as_of
    from {{ ref('stg_tieout__packets') }} as packets
    where
        packets.as_of >= (
            select min(breaks.as_of)
            from {{ ref('stg_tieout__breaks') }} as breaks
            where breaks.open_cents is not null
        )
),

since as (
    select
        tenant_id,
        min(as_of) as present_since
    from present
    group by tenant_id
),

final as (
    select
        closes.tenant_id,
        closes.period,
        min(publications.as_of) as told_at
    from {{ ref('stg_kernel__month_closes') }} as closes
    inner join since
        on closes.tenant_id = since.tenant_id
    inner join publications
        on
            publications.as_of >= since.present_since
            and publications.as_of >= closes.closed_at
    where closes.close_status = 'CLOSED'
    group by closes.tenant_id, closes.period
)

select *
from final
