-- grain: one platform movement with what the kernel knows of the charge or transfer behind it
{{ config(materialized='view') }}
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

final as (
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
)

select *
from final
