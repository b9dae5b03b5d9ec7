-- The sources of a movement that needs a kernel source sum to the movement.
with referenced as (
    select
        movement_id,
        {{ sum_cents('allocated_cents') }} as allocated_cents
    from {{ ref('movement_references') }}
    group by movement_id
)

select
    movements.movement_id,
    movements.amount_cents,
    referenced.allocated_cents
from {{ ref('money_movements') }} as movements
left join referenced
    on movements.movement_id = referenced.movement_id
where
    movements.scope = 'kernel_required'
    and movements.leg = 'platform'
    and movements.amount_cents <> coalesce(referenced.allocated_cents, 0)
