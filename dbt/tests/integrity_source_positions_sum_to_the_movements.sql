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

by_movement as (
    select
        movements.tenant_id,
        movements.currency,
        -{{ sum_cents('sources.allocated_cents') }} as paid_cents
    from {{ ref('movement_references') }} as sources
    inner join {{ ref('money_movements') }} as movements
        on sources.movement_id = movements.movement_id
    inner join {{ ref('source_positions') }} as positions
        on
            sources.tenant_id = positions.tenant_id
            and sources.source_id = case when sources.source_type = 'fee' then 'fee_' else '' end || positions.source_id
            and positions.source_type = case when sources.source_type = 'fee' then 'receipt' else sources.source_type end
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
