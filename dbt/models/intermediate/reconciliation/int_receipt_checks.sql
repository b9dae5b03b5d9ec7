-- grain: one receipt whose parts, settlement or charges say another amount than it does itself
{{ config(
    materialized='carried',
    carried_key=['tenant_id', 'receipt_id'],
    touched_by="""
        select tenant_id, receipt_id from changed.stg_kernel__settlement_receipts
        union all
        select tenant_id, receipt_id from changed.int_charge_sources
        union all
        select tenant_id, receipt_id
        from carried.staging.stg_kernel__settlement_receipts
        where
            hash(tenant_id, settlement_id) in (
                select hash(tenant_id, settlement_id) from changed.stg_kernel__agent_run_settlements
            )
    """,
    narrowed={
        'stg_kernel__settlement_receipts': ['tenant_id', 'receipt_id'],
        'int_charge_sources': ['tenant_id', 'receipt_id'],
    },
) }}
with parties as (
    select
        tenant_id,
        receipt_id,
        min(party_id) as party_id,
        {{ sum_cents('amount_cents') }} as linked_cents
    from {{ ref('int_charge_sources') }}
    group by tenant_id, receipt_id
),

final as (
    select
        receipts.tenant_id,
        receipts.receipt_id,
        parties.party_id,
        receipts.currency,
        coalesce(receipts.settled_at, receipts.created_at) as since_at,
        receipts.amount_cents as whole_cents,
        receipts.released_amount_cents + receipts.refunded_amount_cents as parts_cents,
        receipts.receipt_status,
        settlements.released_amount_cents as settled_cents,
        receipts.released_amount_cents as released_cents,
        parties.linked_cents
    from {{ ref('stg_kernel__settlement_receipts') }} as receipts
    left join parties
        on
            receipts.tenant_id = parties.tenant_id
            and receipts.receipt_id = parties.receipt_id
    left join {{ ref('stg_kernel__agent_run_settlements') }} as settlements
        on
            receipts.tenant_id = settlements.tenant_id
            and receipts.settlement_id = settlements.settlement_id
            and receipts.receipt_id = settlements.current_receipt_id
            and settlements.verdict <> 'mismatch'
    where
        receipts.verdict <> 'mismatch'
        and (
            receipts.amount_cents <> receipts.released_amount_cents + receipts.refunded_amount_cents
            or settlements.released_amount_cents <> receipts.released_amount_cents
            or parties.linked_cents <> receipts.amount_cents
        )
)

select *
from final
