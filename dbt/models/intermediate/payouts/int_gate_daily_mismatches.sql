-- grain: one tenant with breaks that appeared today: whether they go above a threshold of the day
with today as (
    select
        breaks.tenant_id,
        breaks.currency,
        count(*) as mismatches,
        {{ sum_cents('breaks.size_cents') }} as gross_cents
    from {{ ref('int_gate_breaks') }} as breaks
    inner join {{ ref('stg_tieout__run') }} as run
        on cast(breaks.first_seen_at as date) = cast(run.as_of as date)
    group by breaks.tenant_id, breaks.currency
),

-- A currency without a threshold has no number of breaks that would be too few to matter.
final as (
    select
        today.tenant_id,
        {{ sum_cents('today.mismatches') }} as mismatches,
        max(case
            when
                thresholds.currency is null
                or today.mismatches >= thresholds.threshold_count
                or today.gross_cents >= thresholds.threshold_cents
                then 1
            else 0
        end) = 1 as is_breached
    from today
    left join {{ ref('mismatch_thresholds') }} as thresholds
        on today.currency = thresholds.currency
    group by today.tenant_id
)

select *
from final
