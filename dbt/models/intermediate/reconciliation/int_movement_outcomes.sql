-- grain: one platform movement: its period, how much of it is explained, and the first reason that holds for the rest
{{ config(
    materialized='carried',
    carried_key=['movement_id'],
    touched_by="""
        with charges as (
            select charge_id from changed.int_charge_owners
            union all
            select charge_id from changed.int_collection_positions
            union all
            select charge_id from changed.int_contested_charges
        ),

        transfers as (
            select transfer_id from changed.int_movements_linked
            union all
            select transfer_id from changed.int_transfer_matches
            union all
            select transfer_id from changed.int_transfer_allocations
            union all
            select allocations.transfer_id
            from carried.intermediate.int_transfer_allocations as allocations
            where
                hash(allocations.tenant_id, allocations.payout_key) in (
                    select hash(tenant_id, payout_key) from changed.int_payout_positions
                    union all
                    select hash(tenant_id, payout_key) from changed.int_payout_checks
                )
        )

        select movement_id from changed.int_movements_linked
        union all
        select movement_id from changed.int_refund_allocations
        union all
        select movement_id from changed.int_reversal_shares
        union all
        select movement_id from landing.tieout_erased_movements
        union all
        select movement_id
        from carried.intermediate.int_movements_linked
        where hash(charge_id) in (select hash(charge_id) from charges where charge_id is not null)
        union all
        select movement_id
        from carried.intermediate.int_movements_linked
        where hash(transfer_id) in (select hash(transfer_id) from transfers where transfer_id is not null)
        union all
        select movement_id
        from carried.intermediate.int_movements_linked
        where hash(account_id, object_id) in (select hash(account_id, refund_id) from changed.int_returned_refunds)
    """,
    narrowed={'int_movements_linked': ['movement_id']},
    followed={
        'int_charge_owners': [['charge_id'], 'int_movements_linked', ['charge_id']],
        'int_collection_positions': [['charge_id'], 'int_movements_linked', ['charge_id']],
    },
) }}
with checks as (
    select
        checks.tenant_id,
        checks.payout_key,
        min(codes.precedence) as precedence
    from {{ ref('int_payout_checks') }} as checks
    inner join {{ ref('reason_codes') }} as codes
        on checks.reason_code = codes.reason_code
    group by checks.tenant_id, checks.payout_key
),

payout_checks as (
    select
        checks.tenant_id,
        checks.payout_key,
        codes.reason_code as check_code
    from checks
    inner join {{ ref('reason_codes') }} as codes
        on checks.precedence = codes.precedence
),

-- Only a charge that was collected in another currency, or that two tenants claim, has a collection without a position.
linked_charges as (
    select
        charge_id,
        min(currency) as linked_currency
    from {{ ref('int_collection_positions') }}
    where
        is_contested
        or collected_currency is not null
    group by charge_id
),

-- What the kernel knows of the charge or transfer behind a movement.
known as (
    select
        movements.*,
        coalesce(
            allocations.tenant_id, matches.tenant_id, charge_owners.tenant_id, '_platform'
        ) as tenant_id,
        coalesce(allocations.party_id, matches.owner_party_id, collections.party_id, charge_owners.party_id) as party_id,
        charge_owners.tenant_id is not null as charge_is_owned,
        collections.period as collection_period,
        collections.expected_cents as collection_expected_cents,
        collections.matched_cents as collection_matched_cents,
        collections.open_code as collection_code,
        coalesce(collections.receipt_id, charge_owners.source_id) as receipt_id,
        linked_charges.linked_currency,
        allocations.payout_key,
        allocations.period as payout_period,
        allocations.allocated_cents,
        allocations.excess_cents,
        allocations.excess_code,
        -- Of a transfer: what of it came back unasked for; of what took it back: how much of that.
        case
            when movements.movement_type = 'payout_reversal' then coalesce(shares.undone_cents, 0)
            when movements.movement_type <> 'payout' then 0
            when allocations.transfer_id is not null then allocations.undone_cents
            when matches.payout_key is not null then 0
            when reversals.reversed_cents > matches.amount_cents then matches.amount_cents
            else coalesce(reversals.reversed_cents, 0)
        end as undone_cents,
        positions.open_code as payout_code,
        positions.operation_reversed,
        positions.artifact_id as instruction_artifact_id,
        checks.check_code,
        refunds.period as refund_period,
        refunds.allocated_cents as refund_allocated_cents,
        refunds.receipt_id as refund_receipt_id,
        matches.unmatched_code,
        contested.charge_id is not null as charge_is_contested,
        returned.refund_id is not null and movements.movement_type in ('refund', 'refund_failure') as is_returned
    from {{ ref('int_movements_linked') }} as movements
    left join {{ ref('int_charge_owners') }} as charge_owners
        on movements.charge_id = charge_owners.charge_id
    left join {{ ref('int_collection_positions') }} as collections
        on
            movements.charge_id = collections.charge_id
            and movements.claimed_currency = collections.currency
            and charge_owners.tenant_id = collections.tenant_id
    left join linked_charges
        on movements.charge_id = linked_charges.charge_id
    left join {{ ref('int_transfer_matches') }} as matches
        on movements.transfer_id = matches.transfer_id
    left join {{ ref('int_transfer_allocations') }} as allocations
        on
            movements.transfer_id = allocations.transfer_id
            and not movements.is_repeat
    left join {{ ref('int_transfer_reversed') }} as reversals
        on
            matches.transfer_id = reversals.transfer_id
            and not movements.is_repeat
    left join {{ ref('int_reversal_shares') }} as shares
        on movements.movement_id = shares.movement_id
    left join {{ ref('int_payout_positions') }} as positions
        on
            allocations.tenant_id = positions.tenant_id
            and allocations.payout_key = positions.payout_key
    left join payout_checks as checks
        on
            allocations.tenant_id = checks.tenant_id
            and allocations.payout_key = checks.payout_key
    left join {{ ref('int_refund_allocations') }} as refunds
        on movements.movement_id = refunds.movement_id
    left join {{ ref('int_contested_charges') }} as contested
        on movements.charge_id = contested.charge_id
    left join {{ ref('int_returned_refunds') }} as returned
        on
            movements.account_id = returned.account_id
            and movements.object_id = returned.refund_id
    where movements.is_platform
),

-- What was an erased tenant's stays in the platform's balance, explained by the erasure: its kernel side is gone. It is
-- so only while no tenant owns it; what moves later is a movement of its own.
parents as (
    select
        known.*,
        erased.movement_id is not null and known.tenant_id = '_platform' as is_erased
    from known
    left join {{ ref('int_erased_movements') }} as erased
        on known.movement_id = erased.movement_id
),

coded as (
    select
        *,
        case
            when is_erased then null
            when scope = 'unmapped' then 'UNCLASSIFIED'
            when is_repeat then 'DUPLICATE_EXTERNAL'
            when is_returned then null
            when object_type is null and scope = 'inherits_parent' then 'REFERENCE_MISSING'
            when object_type is null and scope = 'kernel_required' and not (movement_type = 'collection' and charge_is_owned)
                then 'REFERENCE_MISSING'
            when movement_type in ('payout', 'payout_reversal') and currency <> object_currency then 'CURRENCY_MISMATCH'
            when movement_type = 'payout' and payout_key is not null then excess_code
            when movement_type in ('payout', 'payout_reversal') and undone_cents = abs(amount_cents) then null
            when movement_type = 'payout' then coalesce(unmatched_code, 'MISSING_INTERNAL')
            when movement_type = 'payout_reversal' and payout_key is not null and operation_reversed then null
            when movement_type = 'payout_reversal' and payout_key is not null then 'STATUS_CONFLICT'
            when movement_type = 'payout_reversal' then coalesce(unmatched_code, 'MISSING_INTERNAL')
            when charge_is_contested then 'AMBIGUOUS_MATCH'
            when movement_type = 'collection' and collection_expected_cents is not null and collection_code = 'AMOUNT_OVER'
                then case when not is_converted then 'AMOUNT_OVER' end
            when movement_type = 'collection' and collection_expected_cents is not null then null
            when movement_type = 'collection' and linked_currency is not null then 'CURRENCY_MISMATCH'
            when movement_type = 'collection' then 'MISSING_INTERNAL'
            when movement_type in ('dispute', 'dispute_reversal') and not charge_is_owned then 'DISPUTE_NOT_BOOKED'
            when scope = 'inherits_parent' and not charge_is_owned then 'MISSING_INTERNAL'
            when movement_type = 'refund' and coalesce(refund_allocated_cents, 0) <> -claimed_cents then 'MISSING_INTERNAL'
        end as fit_code,
        case
            when movement_type = 'payout' and allocated_cents = 0 then null
            when movement_type = 'payout' and payout_code not in ('TIMING') then payout_code
            when movement_type = 'payout' then check_code
            when movement_type = 'collection' and collection_code not in ('TIMING') then collection_code
        end as group_code
    from parents
),

-- How much of the movement its own direction leaves unexplained.
measured as (
    select
        *,
        case
            when fit_code is null then fx_variance_cents
            when is_repeat or scope = 'unmapped' then directed_cents
            when movement_type in ('payout', 'payout_reversal') and currency <> object_currency then directed_cents
            when movement_type = 'payout' and payout_key is not null then undone_cents - excess_cents
            when movement_type = 'payout' then directed_cents + undone_cents
            when movement_type = 'payout_reversal' then directed_cents - undone_cents
            when movement_type = 'collection' and fit_code = 'AMOUNT_OVER' then directed_cents - collection_matched_cents
            when movement_type = 'refund' and fit_code = 'MISSING_INTERNAL' and charge_is_owned and not is_converted
                then directed_cents + coalesce(refund_allocated_cents, 0)
            else directed_cents
        end as unfit_cents
    from coded
),

final as (
    select
        movement_id,
        account_id,
        balance_transaction_id,
        tenant_id,
        party_id,
        case
            when payout_period is not null and movement_type in ('payout', 'payout_reversal') then payout_period
            when refund_period is not null and movement_type = 'refund' then refund_period
            when collection_period is not null and movement_type = 'collection' then collection_period
            else {{ period_of('occurred_at') }}
        end as period,
        {{ period_of('occurred_at') }} as calendar_period,
        movement_type,
        reporting_category,
        case
            when is_erased then 'rail_internal'
            when scope = 'unmapped' then 'kernel_required'
            else scope
        end as scope,
        object_id,
        charge_id,
        transfer_id,
        payout_key,
        coalesce(instruction_artifact_id, refund_receipt_id, receipt_id) as kernel_object_id,
        amount_cents,
        fee_cents,
        net_cents,
        explained_fee_cents,
        fee_variance_cents,
        amount_cents - directed_cents + unfit_cents as break_cents,
        directed_cents - unfit_cents as explained_cents,
        case
            when movement_type = 'payout' and not is_repeat and not is_erased and currency = object_currency then undone_cents
            else 0
        end as undone_cents,
        currency,
        object_amount_cents,
        object_currency,
        is_repeat,
        is_returned,
        is_converted and not is_erased as is_converted,
        claimed_currency,
        case
            when not is_converted or is_repeat then 0
            when movement_type = 'refund' then -coalesce(refund_allocated_cents, 0)
            when collection_expected_cents is not null then claimed_cents
            else 0
        end as converted_cents,
        occurred_at,
        available_on,
        case
            when has_sign_mismatch then 'SIGN_MISMATCH'
            when fit_code is not null then fit_code
            when fx_variance_cents <> 0 then 'FX_VARIANCE'
        end as amount_code,
        case
            when has_sign_mismatch then 'SIGN_MISMATCH'
            when fit_code is not null then fit_code
            when fx_variance_cents <> 0 then 'FX_VARIANCE'
            when fee_variance_cents <> 0 then 'FEE_VARIANCE'
            when group_code is not null then group_code
        end as reason_code
    from measured
)

select *
from final
