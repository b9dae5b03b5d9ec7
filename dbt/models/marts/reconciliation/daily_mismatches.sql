-- grain: one tenant, day and currency with open breaks; the day is the one a break was first seen on
with breaks as (
    select
        tenant_id,
        cast(cast(first_seen_at as date) as {{ dbt.type_string() }}) as day,
        currency,
        case when drift_cents < 0 then -drift_cents else drift_cents end as drift_cents
    from {{ ref('reconciliation_drift') }}
    where outcome = 'break'
),

counted as (
    select
        tenant_id,
        day,
        currency,
        count(*) as mismatch_count,
        {{ sum_cents('drift_cents') }} as gross_drift_cents
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
        thresholds.threshold_count,
        thresholds.threshold_cents,
        counted.mismatch_count >= thresholds.threshold_count
        or counted.gross_drift_cents >= thresholds.threshold_cents as breached
    from counted
    left join {{ ref('mismatch_thresholds') }} as thresholds
        on counted.currency = thresholds.currency
)

select *
from final
