-- grain: one source of one movement that needs a kernel source; the rows of a movement sum to it
{{ config(
    materialized='carried',
    carried_key=['movement_id'],
    touched_by="""
        with transfers as (
            select transfer_id from changed.int_payout_references
            union all
            select transfer_id from changed.int_transfer_allocations
        ),

        charges as (
            select tenant_id, charge_id from changed.int_charge_sources
            union all
            select tenant_id, charge_id from changed.int_collection_positions
        )

        select movement_id from changed.int_movement_outcomes
        union all
        select movement_id
        from carried.intermediate.int_movement_outcomes
        where
            hash(transfer_id) in (select hash(transfer_id) from transfers)
            or hash(tenant_id, charge_id) in (select hash(tenant_id, charge_id) from charges)
        union all
        select movement_id
        from carried.main.movement_references
        where
            -- Holds and adjustments are few, so what refers to one is always looked at.
            source_type in ('holdback', 'adjustment')
            or hash(tenant_id, source_id) in (
                select hash(tenant_id, receipt_id) from changed.stg_kernel__settlement_receipts
                union all
                select hash(tenant_id, 'fee_' || receipt_id) from changed.stg_kernel__settlement_receipts
            )
    """,
    narrowed={'int_movement_outcomes': ['movement_id']},
    followed={
        'int_payout_references': [['transfer_id'], 'int_movement_outcomes', ['transfer_id']],
        'int_charge_sources': [['charge_id'], 'int_movement_outcomes', ['charge_id']],
        'int_collection_positions': [['charge_id'], 'int_movement_outcomes', ['charge_id']],
    },
) }}
with required as {{ inlined() }} (
    select *
    from {{ ref('int_movement_outcomes') }}
    where scope = 'kernel_required'
),

payout_sources as (
    select
        required.tenant_id,
        required.movement_id,
        shares.source_type,
        shares.source_id,
        -shares.allocated_cents as allocated_cents
    from required
    inner join {{ ref('int_payout_references') }} as shares
        on required.transfer_id = shares.transfer_id
    where
        required.movement_type = 'payout'
        and not required.is_repeat
        and required.currency = required.object_currency
),

collection_sources as (
    select
        required.tenant_id,
        required.movement_id,
        'receipt' as source_type,
        sources.receipt_id as source_id,
        sources.amount_cents as allocated_cents
    from required
    inner join {{ ref('int_charge_sources') }} as sources
        on
            required.tenant_id = sources.tenant_id
            and required.charge_id = sources.charge_id
            and required.currency = sources.currency
    where
        required.movement_type = 'collection'
        and not required.is_repeat
),

-- What the sources of a movement sum to, by the two totals that they were split from.
unsourced as (
    select
        required.tenant_id,
        required.movement_id,
        'none' as source_type,
        'none' as source_id,
        required.amount_cents
        + coalesce(allocations.allocated_cents, 0)
        - coalesce(collections.expected_cents, 0) as allocated_cents
    from required
    left join {{ ref('int_transfer_allocations') }} as allocations
        on
            required.transfer_id = allocations.transfer_id
            and required.movement_type = 'payout'
            and not required.is_repeat
            and required.currency = required.object_currency
    left join {{ ref('int_collection_positions') }} as collections
        on
            required.tenant_id = collections.tenant_id
            and required.charge_id = collections.charge_id
            and required.currency = collections.currency
            and required.movement_type = 'collection'
            and not required.is_repeat
    where required.amount_cents + coalesce(allocations.allocated_cents, 0) <> coalesce(collections.expected_cents, 0)
),

references_of_movements as (
    select * from payout_sources
    union all
    select * from collection_sources
    union all
    select * from unsourced
),

holds as (
    select
        holds.tenant_id,
        holds.hold_hash,
        receipts.receipt_id,
        receipts.settlement_id
    from {{ ref('stg_kernel__funding_holds') }} as holds
    left join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            holds.tenant_id = receipts.tenant_id
            and holds.receipt_hash = receipts.receipt_hash
),

adjustments as (
    select
        adjustments.tenant_id,
        adjustments.adjustment_id,
        receipts.receipt_id,
        receipts.settlement_id
    from {{ ref('stg_kernel__settlement_adjustments') }} as adjustments
    left join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            adjustments.tenant_id = receipts.tenant_id
            and adjustments.receipt_hash = receipts.receipt_hash
),

final as (
    select
        allocated.tenant_id,
        allocated.movement_id,
        allocated.source_type,
        allocated.source_id,
        coalesce(receipts.settlement_id, holds.settlement_id, adjustments.settlement_id) as settlement_id,
        coalesce(receipts.receipt_id, holds.receipt_id, adjustments.receipt_id) as receipt_id,
        adjustments.adjustment_id,
        allocated.allocated_cents
    from references_of_movements as allocated
    left join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            allocated.tenant_id = receipts.tenant_id
            and receipts.receipt_id = {{ receipt_of('allocated') }}
    left join holds
        on
            allocated.tenant_id = holds.tenant_id
            and allocated.source_id = holds.hold_hash
            and allocated.source_type = 'holdback'
    left join adjustments
        on
            allocated.tenant_id = adjustments.tenant_id
            and allocated.source_id = adjustments.adjustment_id
            and allocated.source_type = 'adjustment'
)

select *
from final
