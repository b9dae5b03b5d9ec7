-- grain: one moment at which a payout, collection or refund that is open now, or was before, found its other side
with followed as (
    select
        break_id,
        tenant_id,
        item_kind,
        currency,
        case when item_kind = 'payout' then payout_key end as payout_key,
        -- The transfer that a payout is shown with may be another each time.
        case when item_kind <> 'payout' then rail_object_id end as charge_id
    from {{ ref('int_open_items') }}
    where item_kind in ('payout', 'collection', 'refund')

    union distinct

    select
        break_id,
        tenant_id,
        item_kind,
        currency,
        case when item_kind = 'payout' then payout_key end as payout_key,
        case when item_kind <> 'payout' then rail_object_id end as charge_id
    from {{ ref('int_open_item_history') }}
    where item_kind in ('payout', 'collection', 'refund')
),

matched as (
    select
        followed.break_id,
        followed.item_kind,
        followed.tenant_id,
        followed.currency,
        followed.payout_key,
        followed.charge_id,
        allocations.created_at as matched_at,
        allocations.allocated_cents as matched_cents
    from followed
    inner join {{ ref('int_transfer_allocations') }} as allocations
        on
            followed.item_kind = 'payout'
            and followed.tenant_id = allocations.tenant_id
            and followed.payout_key = allocations.payout_key
    where allocations.allocated_cents > 0

    union all

    select
        followed.break_id,
        followed.item_kind,
        followed.tenant_id,
        followed.currency,
        followed.payout_key,
        followed.charge_id,
        positions.collected_at as matched_at,
        positions.matched_cents
    from followed
    inner join {{ ref('int_collection_positions') }} as positions
        on
            followed.item_kind = 'collection'
            and followed.tenant_id = positions.tenant_id
            and followed.charge_id = positions.charge_id
            and followed.currency = positions.currency
    where positions.matched_cents > 0

    union all

    select
        followed.break_id,
        followed.item_kind,
        followed.tenant_id,
        followed.currency,
        followed.payout_key,
        followed.charge_id,
        allocations.occurred_at as matched_at,
        allocations.allocated_cents as matched_cents
    from followed
    inner join {{ ref('int_refund_allocations') }} as allocations
        on
            followed.item_kind = 'refund'
            and followed.tenant_id = allocations.tenant_id
            and followed.charge_id = allocations.charge_id
            and followed.currency = allocations.currency
    where allocations.allocated_cents > 0
),

final as (
    select
        break_id,
        item_kind,
        tenant_id,
        currency,
        payout_key,
        charge_id,
        matched_at,
        {{ sum_cents('matched_cents') }} as matched_cents
    from matched
    group by break_id, item_kind, tenant_id, currency, payout_key, charge_id, matched_at
)

select *
from final
