-- grain: one break id and publication that changed it, or this build: what of it was open then and what had found its other side
with ranked as (
    select
        *,
        row_number() over (partition by break_id order by stated_at desc nulls last) as newest_rank
    from {{ ref('int_open_item_history') }}
),

known as (
    select *
    from ranked
    where newest_rank = 1
),

matched as (
    select
        break_id,
        {{ sum_cents('matched_cents') }} as matched_cents
    from {{ ref('int_open_item_matches') }}
    group by break_id
),

of_run as (
    select
        lifecycles.break_id,
        lifecycles.tenant_id,
        lifecycles.currency,
        coalesce(items.item_kind, known.item_kind) as item_kind,
        lifecycles.payout_key,
        lifecycles.rail_object_id,
        known.opened_at as known_opened_at,
        coalesce(items.since_at, lifecycles.first_seen_at) as since_at,
        run.as_of as stated_at,
        known.last_stated_at as stated_before_at,
        lifecycles.expected_cents - lifecycles.actual_cents as drift_cents,
        -- What is found no more is over where its source was read again, and as it was where it was not.
        case
            when lifecycles.is_found then items.unexplained_cents
            when lifecycles.lifecycle = 'resolved' then 0
            else coalesce(known.open_cents, abs(lifecycles.expected_cents - lifecycles.actual_cents))
        end as open_cents,
        case
            when lifecycles.is_found or lifecycles.lifecycle = 'resolved' then coalesce(matched.matched_cents, 0)
            else coalesce(known.matched_cents, 0)
        end as matched_cents
    from {{ ref('int_item_lifecycles') }} as lifecycles
    cross join {{ ref('stg_tieout__run') }} as run
    left join {{ ref('int_open_items') }} as items
        on lifecycles.break_id = items.break_id
    left join known
        on lifecycles.break_id = known.break_id
    left join matched
        on lifecycles.break_id = matched.break_id
),

-- A month before a told one was told with it.
told as (
    select
        of_run.break_id,
        min(months.told_at) as told_at
    from of_run
    inner join {{ ref('int_told_months') }} as months
        on
            of_run.tenant_id = months.tenant_id
            and {{ period_of('of_run.since_at') }} <= months.period
    group by of_run.break_id
),

final as (
    select
        break_id,
        tenant_id,
        currency,
        item_kind,
        payout_key,
        rail_object_id,
        opened_at,
        stated_at,
        stated_before_at,
        drift_cents,
        open_cents,
        matched_cents,
        false as is_of_run
    from {{ ref('int_open_item_history') }}

    union all

    -- A break of a month that was told without it opens when it is found.
    select
        of_run.break_id,
        of_run.tenant_id,
        of_run.currency,
        of_run.item_kind,
        of_run.payout_key,
        of_run.rail_object_id,
        coalesce(of_run.known_opened_at, case when told.told_at is null then of_run.since_at else of_run.stated_at end) as opened_at,
        of_run.stated_at,
        of_run.stated_before_at,
        of_run.drift_cents,
        of_run.open_cents,
        of_run.matched_cents,
        true as is_of_run
    from of_run
    left join told
        on of_run.break_id = told.break_id
)

select *
from final
