-- grain: one break id seen by an earlier publication
with run as (
    select *
    from {{ ref('stg_tieout__run') }}
),

earlier_runs as (
    select
        log.run_id,
        log.as_of
    from {{ ref('stg_tieout__run_log') }} as log
    cross join run
    where
        log.run_id <> run.run_id
        and log.as_of <= run.as_of
),

newest_earlier_run as (
    select max(as_of) as as_of
    from earlier_runs
),

seen as (
    select
        history.*,
        newest_earlier_run.as_of as newest_as_of
    from {{ ref('stg_tieout__breaks') }} as history
    inner join earlier_runs
        on history.run_id = earlier_runs.run_id
    cross join newest_earlier_run
),

final as (
    select
        break_id,
        min(tenant_id) as tenant_id,
        min(first_seen_at) as first_seen_at,
        max(case when as_of = newest_as_of then 1 else 0 end) = 1 as in_newest_earlier_run
    from seen
    group by break_id
)

select *
from final
