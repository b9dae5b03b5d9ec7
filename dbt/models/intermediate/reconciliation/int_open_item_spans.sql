-- grain: one tenant, currency, month opened, month cleared (null: still open) and how of both: money that waited for the other side
-- What no publication has held open waited from its source's time to its match's.
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
    left join {{ ref('int_open_item_matches') }} as followed
        on
            followed.item_kind = 'payout'
            and allocations.tenant_id = followed.tenant_id
            and allocations.payout_key = followed.payout_key
    where
        allocations.allocated_cents > 0
        and followed.break_id is null
),

collections as (
    select
        positions.tenant_id,
        positions.currency,
        positions.receipted_at as opened_at,
        positions.collected_at as cleared_at,
        positions.matched_cents as amount_cents
    from {{ ref('int_collection_positions') }} as positions
    left join {{ ref('int_open_item_matches') }} as followed
        on
            followed.item_kind = 'collection'
            and positions.tenant_id = followed.tenant_id
            and positions.charge_id = followed.charge_id
            and positions.currency = followed.currency
    where
        positions.matched_cents > 0
        and followed.break_id is null
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
    left join {{ ref('int_open_item_matches') }} as followed
        on
            followed.item_kind = 'refund'
            and allocations.tenant_id = followed.tenant_id
            and allocations.charge_id = followed.charge_id
            and allocations.currency = followed.currency
    where
        allocations.allocated_cents > 0
        and followed.break_id is null
),

unfollowed as (
    select * from payouts
    union all
    select * from collections
    union all
    select * from refunds
),

-- A month that was told while this was not known stays as it was: what came late opens when it clears.
matched as (
    select
        unfollowed.tenant_id,
        unfollowed.currency,
        case when told.told_at is null then unfollowed.opened_at else unfollowed.cleared_at end as opened_at,
        unfollowed.cleared_at,
        unfollowed.amount_cents
    from unfollowed
    left join {{ ref('int_told_months') }} as told
        on
            unfollowed.tenant_id = told.tenant_id
            and {{ period_of('unfollowed.opened_at') }} = told.period
            and unfollowed.cleared_at > told.told_at
),

-- What rose first falls first.
rises as (
    select
        *,
        {{ running_cents('change_cents', 'break_id', 'changed_at asc nulls last, is_write_off asc nulls last') }} as up_to_cents
    from {{ ref('int_open_item_changes') }}
    where change_cents > 0
),

falls as (
    select
        *,
        {{ running_cents('-change_cents', 'break_id', 'changed_at asc nulls last, is_write_off asc nulls last') }} as up_to_cents
    from {{ ref('int_open_item_changes') }}
    where change_cents < 0
),

fallen as (
    select
        break_id,
        max(up_to_cents) as fallen_cents
    from falls
    group by break_id
),

paired as (
    select
        rises.tenant_id,
        rises.currency,
        rises.changed_at as opened_at,
        coalesce(falls.changed_at, rises.changed_at) as cleared_at,
        least(rises.up_to_cents, falls.up_to_cents)
        - greatest(rises.up_to_cents - rises.change_cents, falls.up_to_cents + falls.change_cents) as amount_cents,
        falls.is_write_off as is_written_off,
        rises.is_write_off as is_reinstated
    from rises
    inner join falls
        on
            rises.break_id = falls.break_id
            and rises.up_to_cents > falls.up_to_cents + falls.change_cents
            and falls.up_to_cents > rises.up_to_cents - rises.change_cents
),

left_open as (
    select
        rises.tenant_id,
        rises.currency,
        rises.changed_at as opened_at,
        cast(null as {{ dbt.type_timestamp() }}) as cleared_at,
        least(rises.change_cents, rises.up_to_cents - coalesce(fallen.fallen_cents, 0)) as amount_cents,
        false as is_written_off,
        rises.is_write_off as is_reinstated
    from rises
    left join fallen
        on rises.break_id = fallen.break_id
    where rises.up_to_cents > coalesce(fallen.fallen_cents, 0)
),

spans as (
    select
        *,
        false as is_written_off,
        false as is_reinstated
    from matched

    union all

    select *
    from paired

    union all

    select *
    from left_open
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
