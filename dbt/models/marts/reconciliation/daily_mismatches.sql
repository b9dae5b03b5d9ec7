-- grain: one tenant, day and currency with breaks; the day is the one a break first was a break on, resolved since or not
with open_breaks as (
    select
        drift.break_id,
        drift.tenant_id,
        drift.currency,
        run.as_of,
        case when drift.drift_cents < 0 then -drift.drift_cents else drift.drift_cents end as gross_cents
    from {{ ref('reconciliation_drift') }} as drift
    cross join {{ ref('stg_tieout__run') }} as run
    where drift.outcome = 'break'
),

-- A later green cannot hide an earlier red: what was a break on a day stays counted on it, at the most it was.
breaks as (
    select
        coalesce(open_breaks.tenant_id, history.tenant_id) as tenant_id,
        cast(cast(coalesce(history.first_break_at, open_breaks.as_of) as date) as {{ dbt.type_string() }}) as day,
        coalesce(open_breaks.currency, history.first_currency) as currency,
        greatest(coalesce(open_breaks.gross_cents, 0), coalesce(history.largest_break_cents, 0)) as gross_cents
    from open_breaks
    full outer join {{ ref('int_item_history') }} as history
        on open_breaks.break_id = history.break_id
    where
        open_breaks.break_id is not null
        or history.first_break_at is not null
),

counted as (
    select
        tenant_id,
        day,
        currency,
        count(*) as mismatch_count,
        {{ sum_cents('gross_cents') }} as gross_drift_cents
    from breaks
    group by tenant_id, day, currency
),

final as (
    select
        counted.tenant_id,
        counted.day,
        counted.currency,
        counted.mismatch_count,
        counted.gross_drift_cents,
        limits.threshold_count,
        limits.threshold_cents,
        not limits.is_count_limited or coalesce(counted.mismatch_count >= limits.threshold_count, false) as breached_by_count,
        not limits.is_money_limited or coalesce(counted.gross_drift_cents >= limits.threshold_cents, false) as breached_by_money,
        not (limits.is_count_limited and limits.is_money_limited)
        or coalesce(counted.mismatch_count >= limits.threshold_count, false)
        or coalesce(counted.gross_drift_cents >= limits.threshold_cents, false) as breached
    from counted
    inner join {{ ref('int_mismatch_limits') }} as limits
        on
            counted.tenant_id = limits.tenant_id
            and counted.currency = limits.currency
)

select *
from final
