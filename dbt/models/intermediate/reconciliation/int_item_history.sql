-- grain: one break id seen by an earlier publication, as the newest of them left it
with earlier_runs as (
    select
        log.run_id,
        log.as_of
    from {{ ref('stg_tieout__run_log') }} as log
    cross join {{ ref('stg_tieout__run') }} as run
    -- A run asked for again under another id must not find itself in its own past.
    where log.as_of < run.as_of
),

newest_earlier_run as (
    select max(as_of) as as_of
    from earlier_runs
),

seen as (
    select history.*
    from {{ ref('stg_tieout__breaks') }} as history
    inner join earlier_runs
        on history.run_id = earlier_runs.run_id
),

first_seen as (
    select
        break_id,
        min(tenant_id) as tenant_id,
        min(first_seen_at) as first_seen_at,
        min(currency) as first_currency,
        min(case when outcome = 'break' then as_of end) as first_break_at,
        max(case when outcome = 'break' and drift_cents < 0 then -drift_cents when outcome = 'break' then drift_cents end)
            as largest_break_cents
    from seen
    group by break_id
),

-- One publication holds an id once; two at the same instant are told apart by their run id.
newest_run_of_id as (
    select
        seen.break_id,
        max(seen.run_id) as run_id
    from seen
    inner join newest_earlier_run
        on seen.as_of = newest_earlier_run.as_of
    where seen.lifecycle <> 'resolved'
    group by seen.break_id
),

final as (
    select
        first_seen.break_id,
        first_seen.tenant_id,
        first_seen.first_seen_at,
        first_seen.first_currency,
        first_seen.first_break_at,
        first_seen.largest_break_cents,
        left_open.break_id is not null as is_left_open,
        left_open.party_id,
        left_open.period,
        left_open.currency,
        left_open.outcome,
        left_open.reason_code,
        coalesce(left_open.expected_cents, left_open.drift_cents) as expected_cents,
        coalesce(left_open.actual_cents, 0) as actual_cents,
        left_open.kernel_object_id,
        left_open.rail_object_id,
        left_open.payout_key,
        coalesce(left_open.expected_by, first_seen.first_seen_at) as expected_by
    from first_seen
    left join newest_run_of_id
        on first_seen.break_id = newest_run_of_id.break_id
    left join seen as left_open
        on
            newest_run_of_id.break_id = left_open.break_id
            and newest_run_of_id.run_id = left_open.run_id
)

select *
from final
