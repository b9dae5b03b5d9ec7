-- grain: one movement that takes a transfer back: how much of it undoes what no instruction asked for, oldest first
{{ config(materialized='carried', carried_key=['movement_id']) }}
with undone as (
    select
        matches.transfer_id,
        coalesce(
            allocations.undone_cents,
            case when reversals.reversed_cents > matches.amount_cents then matches.amount_cents else reversals.reversed_cents end
        ) as undone_cents
    from {{ ref('int_transfer_matches') }} as matches
    inner join {{ ref('int_transfer_reversed') }} as reversals
        on matches.transfer_id = reversals.transfer_id
    left join {{ ref('int_transfer_allocations') }} as allocations
        on matches.transfer_id = allocations.transfer_id
),

movements as (
    select
        movements.movement_id,
        movements.transfer_id,
        movements.directed_cents,
        undone.undone_cents as undone_of_transfer_cents,
        {{ running_cents(
            'movements.directed_cents',
            'movements.transfer_id',
            'movements.occurred_at asc nulls last, movements.movement_id asc nulls last',
            preceding_only=true
        ) }} as before_cents
    from {{ ref('int_movements_linked') }} as movements
    inner join undone
        on movements.transfer_id = undone.transfer_id
    where
        movements.is_platform
        and movements.movement_type = 'payout_reversal'
        and not movements.is_repeat
),

final as (
    select
        movement_id,
        transfer_id,
        case
            when before_cents >= undone_of_transfer_cents then 0
            when directed_cents > undone_of_transfer_cents - before_cents then undone_of_transfer_cents - before_cents
            else directed_cents
        end as undone_cents
    from movements
)

select *
from final
