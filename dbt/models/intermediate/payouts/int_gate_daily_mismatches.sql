-- grain: one tenant with breaks that became breaks today: whether they go above a threshold of the day
{{ config(materialized='view') }}
with today as (
    select
        breaks.tenant_id,
        breaks.currency,
        count(*) as mismatches,
        {{ sum_cents('breaks.size_cents') }} as gross_cents
    from {{ ref('int_gate_breaks') }} as breaks
    cross join {{ ref('stg_tieout__run') }} as run
    left join {{ ref('int_item_history') }} as history
        on breaks.break_id = history.break_id
    -- What waited until yesterday and is a break since today is one of today's.
    where cast(coalesce(history.first_break_at, run.as_of) as date) = cast(run.as_of as date)
    group by breaks.tenant_id, breaks.currency
),

final as (
    select
        today.tenant_id,
        {{ ordered_text(
            'cast(today.mismatches as ' ~ dbt.type_string() ~ ") || ' of ' || cast(today.gross_cents as " ~ dbt.type_string() ~ ") || ' ' || today.currency",
            'today.currency'
        ) }} as seen,
        max(case
            when
                not limits.is_count_limited
                or not limits.is_money_limited
                or today.mismatches >= limits.threshold_count
                or today.gross_cents >= limits.threshold_cents
                then 1
            else 0
        end) = 1 as is_breached
    from today
    inner join {{ ref('int_mismatch_limits') }} as limits
        on
            today.tenant_id = limits.tenant_id
            and today.currency = limits.currency
    group by today.tenant_id
)

select *
from final
