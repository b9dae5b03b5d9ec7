-- grain: one refund movement of a linked charge: how much of it the kernel's refund takes up, oldest first
{{ config(materialized='carried', carried_key=['movement_id']) }}
with refunds as (
    select
        movements.movement_id,
        movements.charge_id,
        movements.claimed_currency as currency,
        movements.occurred_at,
        -movements.claimed_cents as refunded_cents,
        expected.tenant_id,
        expected.receipt_id,
        expected.period,
        expected.expected_cents
    from {{ ref('int_movements_linked') }} as movements
    inner join {{ ref('int_expected_refunds') }} as expected
        on
            movements.charge_id = expected.charge_id
            and movements.claimed_currency = expected.currency
    inner join {{ ref('int_charge_owners') }} as owners
        on
            expected.charge_id = owners.charge_id
            and expected.tenant_id = owners.tenant_id
    left join {{ ref('int_returned_refunds') }} as returned
        on
            movements.account_id = returned.account_id
            and movements.object_id = returned.refund_id
    where
        movements.is_platform
        and movements.movement_type = 'refund'
        and movements.claimed_cents < 0
        and not movements.is_repeat
        and returned.refund_id is null
),

ordered as (
    select
        *,
        {{ running_cents(
            'refunded_cents',
            'tenant_id, charge_id, currency',
            'occurred_at asc nulls last, movement_id asc nulls last',
            preceding_only=true
        ) }} as before_cents
    from refunds
),

final as (
    select
        movement_id,
        tenant_id,
        charge_id,
        currency,
        receipt_id,
        period,
        occurred_at,
        refunded_cents,
        case
            when before_cents >= expected_cents then 0
            when refunded_cents > expected_cents - before_cents then expected_cents - before_cents
            else refunded_cents
        end as allocated_cents
    from ordered
)

select *
from final
