-- grain: one tenant, currency, month opened, month cleared (null: still open) and how of both: money that waited for the other side
with payouts as (
    select
        positions.tenant_id,
        positions.currency,
        positions.generated_at as opened_at,
        allocations.created_at as cleared_at,
        allocations.allocated_cents as amount_cents
    from {{ ref('int_transfer_allocations') }} as allocations
    inner join {{ ref('int_payout_positions') }} as positions
        on
            allocations.tenant_id = positions.tenant_id
            and allocations.payout_key = positions.payout_key
    where allocations.allocated_cents > 0
),

collections as (
    select
        tenant_id,
        currency,
        receipted_at as opened_at,
        collected_at as cleared_at,
        matched_cents as amount_cents
    from {{ ref('int_collection_positions') }}
    where matched_cents > 0
),

refunds as (
    select
        positions.tenant_id,
        positions.currency,
        positions.refundable_at as opened_at,
        allocations.occurred_at as cleared_at,
        allocations.allocated_cents as amount_cents
    from {{ ref('int_refund_allocations') }} as allocations
    inner join {{ ref('int_refund_positions') }} as positions
        on
            allocations.tenant_id = positions.tenant_id
            and allocations.charge_id = positions.charge_id
            and allocations.currency = positions.currency
    where allocations.allocated_cents > 0
),

-- Of write-offs that overlap the first posts and the last reverses: how many stand after each.
counted as (
    select
        *,
        sum(case when posting = 'posted' then 1 else -1 end) over (
            partition by tenant_id, break_id, currency, drift_cents
            order by posted_at asc nulls last, write_off_id asc nulls last, posting asc nulls last
            rows between unbounded preceding and current row
        ) as standing
    from {{ ref('int_write_offs') }}
    where break_id is not null
),

turns as (
    select
        tenant_id,
        break_id,
        currency,
        drift_cents,
        posting,
        posted_at,
        lag(posted_at) over (
            partition by tenant_id, break_id, currency, drift_cents
            order by posted_at asc nulls last, posting asc nulls last
        ) as reinstated_at,
        row_number() over (
            partition by tenant_id, break_id, currency, drift_cents
            order by posted_at desc nulls last, posting desc nulls last
        ) as newest_rank
    from counted
    where
        (posting = 'posted' and standing = 1)
        or (posting = 'reversed' and standing = 0)
),

-- A write-off closes exactly the difference that two people saw; its reverse opens it again, and changes no month before.
written_off as (
    select
        items.tenant_id,
        items.break_id,
        items.currency,
        case when turns.posting = 'reversed' then turns.posted_at else coalesce(turns.reinstated_at, items.since_at) end as opened_at,
        case when turns.posting = 'posted' then turns.posted_at end as cleared_at,
        items.unexplained_cents as amount_cents,
        turns.posting = 'posted' as is_written_off,
        turns.posting = 'reversed' or turns.reinstated_at is not null as is_reinstated
    from {{ ref('int_open_items') }} as items
    inner join turns
        on
            items.tenant_id = turns.tenant_id
            and items.break_id = turns.break_id
            and items.currency = turns.currency
            and items.expected_cents - items.actual_cents = turns.drift_cents
    where
        turns.posting = 'posted'
        or turns.newest_rank = 1
),

open_items as (
    select
        items.tenant_id,
        items.currency,
        items.since_at as opened_at,
        cast(null as {{ dbt.type_timestamp() }}) as cleared_at,
        items.unexplained_cents as amount_cents
    from {{ ref('int_open_items') }} as items
    left join written_off
        on
            items.tenant_id = written_off.tenant_id
            and items.break_id = written_off.break_id
    where written_off.break_id is null
),

-- What was open and whose source is gone or unread is open still: it has waited since it was first seen.
carried as (
    select
        tenant_id,
        currency,
        first_seen_at as opened_at,
        cast(null as {{ dbt.type_timestamp() }}) as cleared_at,
        abs(expected_cents - actual_cents) as amount_cents
    from {{ ref('int_item_lifecycles') }}
    where
        not is_found
        and lifecycle = 'persisting'
),

cleared as (
    select * from payouts
    union all
    select * from collections
    union all
    select * from refunds
    union all
    select * from open_items
    union all
    select * from carried
),

spans as (
    select
        *,
        false as is_written_off,
        false as is_reinstated
    from cleared

    union all

    select
        tenant_id,
        currency,
        opened_at,
        cleared_at,
        amount_cents,
        is_written_off,
        is_reinstated
    from written_off
),

-- What its source gives no time for opens when it clears, or now.
opened as (
    select
        spans.tenant_id,
        spans.currency,
        coalesce(spans.opened_at, spans.cleared_at, run.as_of) as opened_at,
        spans.cleared_at,
        spans.amount_cents,
        spans.is_written_off,
        spans.is_reinstated
    from spans
    cross join {{ ref('stg_tieout__run') }} as run
),

-- Money that came before its reason was never open: it opens and clears in the month of the later one.
dated as (
    select
        tenant_id,
        currency,
        {{ period_of('opened_at') }} as opened_period,
        case when cleared_at < opened_at then {{ period_of('opened_at') }} else {{ period_of('cleared_at') }} end as cleared_period,
        amount_cents,
        is_written_off,
        is_reinstated
    from opened
),

final as (
    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        is_written_off,
        is_reinstated,
        {{ sum_cents('amount_cents') }} as amount_cents,
        count(*) as items
    from dated
    group by tenant_id, currency, opened_period, cleared_period, is_written_off, is_reinstated
)

select *
from final
