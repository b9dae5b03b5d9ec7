-- grain: one platform movement: its period, how much of it is explained, and the first reason that holds for the rest
-- What was an erased tenant's stays in the platform's balance, explained by the erasure: its kernel side is gone. It is
-- so only while no tenant owns it; what moves later is a movement of its own.
with parents as (
    select
        parents.*,
        erased.movement_id is not null and parents.tenant_id = '_platform' as is_erased
    from {{ ref('int_movement_parents') }} as parents
    left join {{ ref('int_erased_movements') }} as erased
        on parents.movement_id = erased.movement_id
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
