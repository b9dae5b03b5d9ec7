-- grain: one balance transaction of one account (a leg)
{{ config(
    materialized='carried',
    carried_key=['movement_id'],
    touched_by="""
        with movements as (
            select movement_id from changed.int_movements_linked
            union all
            select movement_id from changed.int_movement_outcomes
            union all
            select movement_id from changed.int_rail_checks
            union all
            select movement_id
            from carried.intermediate.int_movement_outcomes
            where
                hash(tenant_id, payout_key) in (
                    select hash(tenant_id, payout_key) from changed.int_payout_mapping
                )
            union all
            select movement_id
            from carried.intermediate.int_movements_linked
            where
                not is_platform
                and account_id in (select account_id from changed.int_account_owners)
        ),

        -- Both legs of a transfer name each other, and a payment may be named by several transfers.
        objects as (
            select account_id, object_id from changed.int_movements_linked
            union all
            select account_id, object_id
            from carried.intermediate.int_movements_linked
            where movement_id in (select movement_id from movements)
        ),

        transfers as (
            select account_id, transfer_id, destination_account_id, destination_payment_id
            from changed.stg_stripe__transfers
            union all
            select account_id, transfer_id, destination_account_id, destination_payment_id
            from carried.staging.stg_stripe__transfers
            where
                hash(account_id, transfer_id) in (select hash(account_id, object_id) from objects)
                or hash(destination_account_id, destination_payment_id) in (
                    select hash(account_id, object_id) from objects where object_id is not null
                )
        ),

        legs as (
            select account_id, transfer_id as object_id from transfers
            union all
            select destination_account_id, destination_payment_id from transfers where destination_payment_id is not null
            union all
            select account_id, transfer_id
            from carried.staging.stg_stripe__transfers
            where
                hash(destination_account_id, destination_payment_id) in (
                    select hash(destination_account_id, destination_payment_id)
                    from transfers
                    where destination_payment_id is not null
                )
        )

        select movement_id from movements
        union all
        select movement_id
        from carried.intermediate.int_movements_linked
        where hash(account_id, object_id) in (select hash(account_id, object_id) from legs)
    """,
    narrowed={'int_movement_outcomes': ['movement_id'], 'int_movements_linked': ['movement_id']},
) }}
with transfers as (
    select
        transfers.account_id,
        transfers.transfer_id,
        transfers.balance_transaction_id,
        transfers.destination_account_id,
        transfers.destination_payment_id
    from {{ ref('stg_stripe__transfers') }} as transfers
    where transfers.is_platform
),

-- The first code by name where two checks doubt one movement.
rail_checks as (
    select
        movement_id,
        min(reason_code) as reason_code
    from {{ ref('int_rail_checks') }}
    where movement_id is not null
    group by movement_id
),

-- A payment that two transfers name is the other leg of one of them.
transfer_legs as (
    select
        min(platform_leg.movement_id) as platform_movement_id,
        connected_leg.movement_id as connected_movement_id
    from transfers
    inner join {{ ref('int_movements_linked') }} as platform_leg
        on
            transfers.account_id = platform_leg.account_id
            and transfers.transfer_id = platform_leg.object_id
            and platform_leg.movement_type = 'payout'
            and not platform_leg.is_repeat
    inner join {{ ref('int_movements_linked') }} as connected_leg
        on
            transfers.destination_account_id = connected_leg.account_id
            and transfers.destination_payment_id = connected_leg.object_id
            and connected_leg.movement_type = 'collection'
            and not connected_leg.is_repeat
    group by connected_leg.movement_id
),

platform_legs as (
    select
        outcomes.tenant_id,
        outcomes.movement_id,
        outcomes.account_id,
        'platform' as leg,
        transfer_legs.connected_movement_id as counter_movement_id,
        outcomes.movement_type,
        outcomes.reporting_category,
        outcomes.scope,
        outcomes.object_id as source_object_id,
        outcomes.payout_key,
        outcomes.charge_id,
        outcomes.party_id,
        outcomes.period,
        outcomes.amount_cents,
        outcomes.fee_cents,
        outcomes.net_cents,
        outcomes.currency,
        outcomes.object_amount_cents,
        outcomes.object_currency,
        outcomes.occurred_at,
        outcomes.available_on,
        case
            when outcomes.movement_type = 'payout' then coalesce(mapping.kernel_reference_type, 'none')
            when outcomes.scope = 'rail_internal' then 'none'
            when outcomes.amount_code in ('MISSING_INTERNAL', 'DISPUTE_NOT_BOOKED', 'REFERENCE_MISSING', 'DUPLICATE_EXTERNAL') then 'none'
            when outcomes.movement_type = 'payout_reversal' then coalesce(mapping.kernel_reference_type, 'none')
            else 'receipt'
        end as kernel_reference_type,
        case
            when coalesce(outcomes.reason_code, rail_checks.reason_code) is null then 'ok'
            when codes.verdict_effect = 'warning' then 'ok'
            else 'break'
        end as outcome,
        coalesce(outcomes.reason_code, rail_checks.reason_code) as reason_code
    from {{ ref('int_movement_outcomes') }} as outcomes
    left join transfer_legs
        on outcomes.movement_id = transfer_legs.platform_movement_id
    left join {{ ref('int_payout_mapping') }} as mapping
        on
            outcomes.tenant_id = mapping.tenant_id
            and outcomes.payout_key = mapping.payout_key
    left join rail_checks
        on outcomes.movement_id = rail_checks.movement_id
    left join {{ ref('reason_codes') }} as codes
        on coalesce(outcomes.reason_code, rail_checks.reason_code) = codes.reason_code
),

connected_legs as (
    select
        coalesce(owners.tenant_id, '_platform') as tenant_id,
        linked.movement_id,
        linked.account_id,
        'connected' as leg,
        transfer_legs.platform_movement_id as counter_movement_id,
        linked.movement_type,
        linked.reporting_category,
        'rail_internal' as scope,
        linked.object_id as source_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        owners.party_id,
        {{ period_of('linked.occurred_at') }} as period,
        linked.amount_cents,
        linked.fee_cents,
        linked.net_cents,
        linked.currency,
        linked.object_amount_cents,
        linked.object_currency,
        linked.occurred_at,
        linked.available_on,
        'none' as kernel_reference_type,
        case when rail_checks.reason_code is null then 'ok' else 'break' end as outcome,
        rail_checks.reason_code
    from {{ ref('int_movements_linked') }} as linked
    left join {{ ref('int_account_owners') }} as owners
        on linked.account_id = owners.account_id
    left join transfer_legs
        on linked.movement_id = transfer_legs.connected_movement_id
    left join rail_checks
        on linked.movement_id = rail_checks.movement_id
    where not linked.is_platform
),

legs as (
    select * from platform_legs
    union all
    select * from connected_legs
),

final as (
    select
        tenant_id,
        movement_id,
        account_id,
        leg,
        counter_movement_id,
        'stripe' as provider_id,
        movement_type,
        reporting_category,
        scope,
        source_object_id,
        payout_key,
        charge_id,
        party_id,
        period,
        amount_cents,
        fee_cents,
        net_cents,
        currency,
        object_amount_cents,
        object_currency,
        occurred_at,
        available_on,
        kernel_reference_type,
        outcome,
        reason_code
    from legs
)

select *
from final
