-- grain: one tenant, currency, month opened and month cleared: money that met its other side before any publication held it open
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

-- Money that came before its reason was never open: it opens and clears in the month of the later one.
timed as (
    select
        tenant_id,
        currency,
        coalesce(opened_at, cleared_at) as opened_at,
        greatest(cleared_at, coalesce(opened_at, cleared_at)) as cleared_at,
        amount_cents
    from unfollowed
),

months as (
    select distinct
        tenant_id,
        {{ period_of('opened_at') }} as period
    from timed

    union distinct

    select distinct
        tenant_id,
        {{ period_of('cleared_at') }} as period
    from timed
),

-- A month before a told one was told with it.
told_by as (
    select
        months.tenant_id,
        months.period,
        min(told.told_at) as told_at
    from months
    inner join {{ ref('int_told_months') }} as told
        on
            months.tenant_id = told.tenant_id
            and months.period <= told.period
    group by months.tenant_id, months.period
),

-- A month that was told stays as it was then: of what came late only its clearing enters a month, and one not told yet.
untold as (
    select
        timed.tenant_id,
        timed.currency,
        {{ period_of('case when opened_in.told_at is null then timed.opened_at else timed.cleared_at end') }} as opened_period,
        {{ period_of('timed.cleared_at') }} as cleared_period,
        timed.amount_cents
    from timed
    left join told_by as opened_in
        on
            timed.tenant_id = opened_in.tenant_id
            and {{ period_of('timed.opened_at') }} = opened_in.period
    left join told_by as cleared_in
        on
            timed.tenant_id = cleared_in.tenant_id
            and {{ period_of('timed.cleared_at') }} = cleared_in.period
    where
        opened_in.told_at is null
        or (timed.cleared_at > opened_in.told_at and cleared_in.told_at is null)
),

final as (
    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        {{ sum_cents('amount_cents') }} as amount_cents,
        count(*) as items
    from untold
    group by tenant_id, currency, opened_period, cleared_period
)

select *
from final
