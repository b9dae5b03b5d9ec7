-- grain: one tenant, currency, month opened, month cleared (null: still open) and how: money that waited for the other side
with payouts as (
    select
        positions.tenant_id,
        positions.currency,
        positions.generated_at as opened_at,
        allocations.created_at as cleared_at,
        allocations.allocated_cents as amount_cents,
        false as is_written_off
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
        matched_cents as amount_cents,
        false as is_written_off
    from {{ ref('int_collection_positions') }}
    where matched_cents > 0
),

refunds as (
    select
        positions.tenant_id,
        positions.currency,
        positions.refundable_at as opened_at,
        allocations.occurred_at as cleared_at,
        allocations.allocated_cents as amount_cents,
        false as is_written_off
    from {{ ref('int_refund_allocations') }} as allocations
    inner join {{ ref('int_refund_positions') }} as positions
        on
            allocations.tenant_id = positions.tenant_id
            and allocations.charge_id = positions.charge_id
            and allocations.currency = positions.currency
    where allocations.allocated_cents > 0
),

open_items as (
    select
        tenant_id,
        currency,
        since_at as opened_at,
        written_off_at as cleared_at,
        unexplained_cents as amount_cents,
        is_written_off
    from {{ ref('int_open_items') }}
),

-- What was open and whose source is gone or unread is open still: it has waited since it was first seen.
carried as (
    select
        tenant_id,
        currency,
        first_seen_at as opened_at,
        cast(null as {{ dbt.type_timestamp() }}) as cleared_at,
        abs(expected_cents - actual_cents) as amount_cents,
        false as is_written_off
    from {{ ref('int_item_lifecycles') }}
    where
        not is_found
        and lifecycle = 'persisting'
),

spans as (
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

-- What its source gives no time for opens when it clears, or now.
opened as (
    select
        spans.tenant_id,
        spans.currency,
        coalesce(spans.opened_at, spans.cleared_at, run.as_of) as opened_at,
        spans.cleared_at,
        spans.amount_cents,
        spans.is_written_off
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
        is_written_off
    from opened
),

final as (
    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        is_written_off,
        {{ sum_cents('amount_cents') }} as amount_cents,
        count(*) as items
    from dated
    group by tenant_id, currency, opened_period, cleared_period, is_written_off
)

select *
from final
