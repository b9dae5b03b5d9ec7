-- What sources were paid for is what movements say they paid for, by party and currency: read from either side.
with by_source as (
    select
        tenant_id,
        currency,
        {{ sum_cents('paid_cents') }} as paid_cents
    from {{ ref('source_positions') }}
    where source_type <> 'settlement'
    group by tenant_id, currency
),

-- A fee is named after the receipt it was kept from. Named first, so that the join below is one of equal keys.
named as (
    select
        tenant_id,
        movement_id,
        case when source_type = 'fee' then 'receipt' else source_type end as source_type,
        case when source_type = 'fee' then substr(source_id, length('fee_') + 1) else source_id end as source_id,
        allocated_cents
    from {{ ref('movement_references') }}
),

by_movement as (
    select
        movements.tenant_id,
        movements.currency,
        -{{ sum_cents('sources.allocated_cents') }} as paid_cents
    from named as sources
    inner join {{ ref('money_movements') }} as movements
        on sources.movement_id = movements.movement_id
    inner join {{ ref('source_positions') }} as positions
        on
            sources.tenant_id = positions.tenant_id
            and sources.source_type = positions.source_type
            and sources.source_id = positions.source_id
            and movements.currency = positions.currency
    where movements.movement_type = 'payout'
    group by movements.tenant_id, movements.currency
)

select
    coalesce(by_source.tenant_id, by_movement.tenant_id) as tenant_id,
    coalesce(by_source.currency, by_movement.currency) as currency,
    by_source.paid_cents,
    by_movement.paid_cents as movement_cents
from by_source
full outer join by_movement
    on
        by_source.tenant_id = by_movement.tenant_id
        and by_source.currency = by_movement.currency
where coalesce(by_source.paid_cents, 0) <> coalesce(by_movement.paid_cents, 0)
