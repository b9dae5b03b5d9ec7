-- grain: one object of an account that says a balance transaction moved it: what it says, and what the balance says
{{ config(
    materialized='carried',
    carried_key=['account_id', 'object_id'],
    touched_by="""
        select account_id, object_id from changed.int_rail_objects
        union all
        select account_id, object_id from changed.int_movements_linked
        union all
        -- Only what the balance does not show depends on the day.
        select account_id, object_id from carried.intermediate.int_object_movements
    """,
    narrowed={
        'int_rail_objects': ['account_id', 'object_id'],
        'int_movements_linked': ['account_id', 'object_id'],
    },
) }}
with moved as (
    select
        account_id,
        object_id,
        coalesce(min(case when is_repeat then movement_id end), min(movement_id)) as movement_id,
        min(currency) as currency,
        -- What an object moved in another currency than its own, and at no rate, is none of its money.
        {{ sum_cents("case when currency = object_currency or movement_type in ('collection', 'refund') then directed_cents end") }}
        as moved_cents,
        max(case when is_converted or currency <> object_currency then 1 else 0 end) = 1 as is_other_currency,
        min(case when has_rate then 1 else 0 end) = 1 as has_rate,
        max(case when is_repeat then 1 else 0 end) = 1 as is_repeated
    from {{ ref('int_movements_linked') }}
    where
        -- A repeat at the platform is a break of its own movement; elsewhere it is one of its object.
        not (is_repeat and is_platform)
        -- A movement of another kind is none of the object's, though it names it.
        and object_type = case movement_type
            when 'collection' then 'charge'
            when 'refund' then 'refund'
            when 'payout' then 'transfer'
            when 'payout_reversal' then 'transfer_reversal'
            when 'bank_payout' then 'payout'
            when 'topup' then 'topup'
            when 'application_fee' then 'application_fee'
        end
    group by account_id, object_id
),

final as (
    select
        objects.account_id,
        objects.is_platform,
        objects.object_id,
        objects.object_type,
        objects.charge_id,
        objects.transfer_id,
        objects.object_currency as currency,
        objects.created_at,
        {{ add_days('objects.created_at', 'run.rail_booking_days') }} as expected_by,
        moved.movement_id,
        objects.expected_sign * objects.object_amount_cents as said_cents,
        coalesce(moved.moved_cents, 0) as moved_cents,
        case
            when moved.movement_id is null and run.as_of < {{ add_days('objects.created_at', 'run.rail_booking_days') }} then 'TIMING'
            when moved.movement_id is null then 'MISSING_EXTERNAL'
            when moved.is_repeated then 'DUPLICATE_EXTERNAL'
            when moved.is_other_currency and objects.object_type in ('charge', 'refund') then null
            -- A fee earned in the charge's currency is booked in the platform's own, at a rate.
            when moved.is_other_currency and moved.has_rate and objects.object_type = 'application_fee' then null
            when moved.is_other_currency then 'CURRENCY_MISMATCH'
            when abs(moved.moved_cents) > abs(objects.object_amount_cents) then 'AMOUNT_OVER'
            when abs(moved.moved_cents) < abs(objects.object_amount_cents) then 'AMOUNT_UNDER'
        end as reason_code
    from {{ ref('int_rail_objects') }} as objects
    cross join {{ ref('stg_tieout__run') }} as run
    left join moved
        on
            objects.account_id = moved.account_id
            and objects.object_id = moved.object_id
    where
        objects.balance_transaction_id is not null
        and objects.expected_sign <> 0
        and (moved.moved_cents is null or moved.moved_cents <> objects.expected_sign * objects.object_amount_cents)
)

select *
from final
