-- grain: one receipt, adjustment or hold: what the party may get of it, what is held, instructed and paid
{{ config(
    materialized='carried',
    carried_key=['tenant_id', 'source_type', 'source_id'],
    touched_by="""
        with payouts as (
            select tenant_id, payout_key from changed.int_expected_payouts
            union all
            select tenant_id, payout_key from changed.int_payout_mapping
            union all
            select tenant_id, payout_key from changed.int_transfer_allocations
            union all
            select tenant_id, payout_key
            from carried.intermediate.int_transfer_allocations
            where
                hash(transfer_id) in (
                    select hash(transfer_id) from changed.int_movement_outcomes where transfer_id is not null
                    union all
                    select hash(transfer_id) from changed.int_movements_linked where transfer_id is not null
                    union all
                    select hash(transfer_id) from changed.int_payout_references
                )
        ),

        links as (
            select tenant_id, source_type, source_id from changed.stg_kernel__receipt_payout_links
            union all
            select tenant_id, source_type, source_id
            from carried.staging.stg_kernel__receipt_payout_links
            where hash(tenant_id, payout_key) in (select hash(tenant_id, payout_key) from payouts)
        ),

        receipts as (
            select tenant_id, receipt_id from changed.stg_kernel__settlement_receipts
            union all
            select tenant_id, receipt_id from changed.int_charge_sources
            union all
            select tenant_id, """ ~ receipt_of('links') ~ """ from links
            union all
            select tenant_id, receipt_id
            from carried.staging.stg_kernel__settlement_receipts
            where
                hash(tenant_id, receipt_hash) in (
                    select hash(tenant_id, receipt_hash) from work.staging.stg_kernel__funding_holds
                    union all
                    select hash(tenant_id, receipt_hash) from work.staging.stg_kernel__settlement_adjustments
                )
        )

        select tenant_id, 'receipt', receipt_id from receipts
        -- Holds and adjustments are few and hang together, so all of them and their receipts are looked at.
        union all
        select tenant_id, 'holdback', hold_hash from work.staging.stg_kernel__funding_holds
        union all
        select tenant_id, 'adjustment', adjustment_id from work.staging.stg_kernel__settlement_adjustments
        union all
        select tenant_id, source_type, source_id
        from carried.intermediate.int_source_parts
        where source_type <> 'receipt' or receipt_id in (
            select receipt_id from carried.intermediate.int_source_parts where source_type <> 'receipt'
        )
    """,
    narrowed={
        'stg_kernel__settlement_receipts': ['tenant_id', "'receipt'", 'receipt_id'],
        'stg_kernel__receipt_payout_links': [
            'tenant_id',
            "case when source_type = 'adjustment' then 'adjustment' else 'receipt' end",
            'coalesce(' ~ receipt_of('stg_kernel__receipt_payout_links') ~ ', source_id)',
        ],
    },
    followed={
        'int_charge_sources': [
            ['tenant_id', 'receipt_id'], 'stg_kernel__settlement_receipts', ['tenant_id', 'receipt_id']
        ],
    },
) }}
with
{{ source_payments() }},

payments as (
    select
        of_links.*,
        expected.party_id
    from of_links
    left join {{ ref('int_expected_payouts') }} as expected
        on
            of_links.tenant_id = expected.tenant_id
            and of_links.payout_key = expected.payout_key
),

withheld as (
    select
        tenant_id,
        receipt_hash,
        currency,
        {{ sum_cents('case when is_folded then 0 else hold_cents end') }} as withheld_cents,
        {{ sum_cents('deducted_cents') }} as deducted_cents,
        {{ sum_cents('deducted_paid_cents') }} as deducted_paid_cents,
        {{ sum_cents('deducted_reversed_cents') }} as deducted_reversed_cents
    from {{ ref('int_hold_payments') }}
    group by tenant_id, receipt_hash, currency
),

linked as (
    select
        tenant_id,
        case when source_type = 'adjustment' then 'adjustment' else 'receipt' end as source_type,
        coalesce(receipt_id, source_id) as source_id,
        currency,
        min(party_id) as party_id,
        {{ sum_cents('instructed_cents') }} as instructed_cents,
        {{ sum_cents('paid_cents') }} as paid_cents,
        {{ sum_cents('reversed_cents') }} as reversed_cents
    from payments
    where
        source_type = 'adjustment'
        or receipt_id is not null
    group by
        tenant_id,
        case when source_type = 'adjustment' then 'adjustment' else 'receipt' end,
        coalesce(receipt_id, source_id),
        currency
),

charge_parties as (
    select
        tenant_id,
        receipt_id,
        min(party_id) as party_id
    from {{ ref('int_charge_sources') }}
    group by tenant_id, receipt_id
    having min(party_id) = max(party_id)
),

receipts as {{ inlined() }} (
    select *
    from {{ ref('stg_kernel__settlement_receipts') }}
    where verdict <> 'mismatch'
),

receipt_rows as (
    select
        receipts.tenant_id,
        'receipt' as source_type,
        receipts.receipt_id as source_id,
        receipts.settlement_id,
        receipts.receipt_id,
        cast(null as {{ dbt.type_string() }}) as adjustment_id,
        coalesce(linked.party_id, charge_parties.party_id) as party_id,
        receipts.currency,
        receipts.released_amount_cents
        - {{ share_of('receipts.released_amount_cents', 'run.platform_fee_bps', '10000') }}
        - coalesce(withheld.withheld_cents, 0) as entitled_cents,
        0 as held_cents,
        coalesce(linked.instructed_cents, 0) + coalesce(withheld.deducted_cents, 0) as instructed_cents,
        coalesce(linked.paid_cents, 0) + coalesce(withheld.deducted_paid_cents, 0) as paid_cents,
        coalesce(linked.reversed_cents, 0) + coalesce(withheld.deducted_reversed_cents, 0) as reversed_cents,
        coalesce(receipts.settled_at, receipts.created_at) as payable_at,
        linked.source_id is not null as is_instructed
    from receipts
    cross join {{ ref('stg_tieout__run') }} as run
    left join linked
        on
            receipts.tenant_id = linked.tenant_id
            and linked.source_type = 'receipt'
            and receipts.receipt_id = linked.source_id
            -- What was paid in another currency paid nothing of it; the link says so by a break of its own.
            and receipts.currency = linked.currency
    left join withheld
        on
            receipts.tenant_id = withheld.tenant_id
            and receipts.receipt_hash = withheld.receipt_hash
            and receipts.currency = withheld.currency
    left join charge_parties
        on
            receipts.tenant_id = charge_parties.tenant_id
            and receipts.receipt_id = charge_parties.receipt_id
),

hold_rows as (
    select
        holds.tenant_id,
        'holdback' as source_type,
        holds.hold_hash as source_id,
        receipts.settlement_id,
        receipts.receipt_id,
        coalesce(holds.release_adjustment_id, holds.refund_adjustment_id) as adjustment_id,
        holds.party_id,
        holds.currency,
        case when holds.release_adjustment_id is null and not holds.is_folded then holds.released_cents else 0 end as entitled_cents,
        holds.held_cents,
        -- A hold without its receipt keeps the deduction to itself, so that no paid cent is lost.
        holds.returned_cents + case when receipts.receipt_id is null then holds.deducted_cents else 0 end as instructed_cents,
        holds.returned_paid_cents + case when receipts.receipt_id is null then holds.deducted_paid_cents else 0 end as paid_cents,
        holds.returned_reversed_cents
        + case when receipts.receipt_id is null then holds.deducted_reversed_cents else 0 end as reversed_cents,
        case when holds.hold_status = 'held' then holds.window_ends_at else holds.resolved_at end as payable_at,
        coalesce(holds.returns, 0) > 0 as is_instructed
    from {{ ref('int_hold_payments') }} as holds
    left join receipts
        on
            holds.tenant_id = receipts.tenant_id
            and holds.receipt_hash = receipts.receipt_hash
),

adjustment_rows as (
    select
        adjustments.tenant_id,
        'adjustment' as source_type,
        adjustments.adjustment_id as source_id,
        receipts.settlement_id,
        receipts.receipt_id,
        adjustments.adjustment_id,
        coalesce(linked.party_id, holds.party_id) as party_id,
        adjustments.currency,
        case when adjustments.adjustment_kind = 'holdback_release' then adjustments.amount_cents else 0 end as entitled_cents,
        0 as held_cents,
        coalesce(linked.instructed_cents, 0) as instructed_cents,
        coalesce(linked.paid_cents, 0) as paid_cents,
        coalesce(linked.reversed_cents, 0) as reversed_cents,
        adjustments.created_at as payable_at,
        linked.source_id is not null as is_instructed
    from {{ ref('stg_kernel__settlement_adjustments') }} as adjustments
    left join {{ ref('int_hold_positions') }} as holds
        on
            adjustments.tenant_id = holds.tenant_id
            and adjustments.hold_hash = holds.hold_hash
    left join receipts
        on
            adjustments.tenant_id = receipts.tenant_id
            and adjustments.receipt_hash = receipts.receipt_hash
    left join linked
        on
            adjustments.tenant_id = linked.tenant_id
            and linked.source_type = 'adjustment'
            and adjustments.adjustment_id = linked.source_id
            and adjustments.currency = linked.currency
    where adjustments.verdict <> 'mismatch'
),

parts as (
    select * from receipt_rows
    union all
    select * from hold_rows
    union all
    select * from adjustment_rows
),

-- What nothing instructs yet is not due, so it is no drift.
final as (
    select
        *,
        case when is_instructed then entitled_cents else 0 end - paid_cents + reversed_cents as drift_cents
    from parts
)

select *
from final
