-- grain: one verified receipt behind a charge, by the party its link names
with final as (
    select
        links.tenant_id,
        links.charge_id,
        links.currency,
        links.party_id,
        links.amount_cents,
        receipts.receipt_id,
        receipts.receipt_hash,
        receipts.receipt_status,
        receipts.refunded_amount_cents,
        coalesce(receipts.settled_at, receipts.created_at) as receipted_at
    from {{ ref('stg_kernel__charge_links') }} as links
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            links.tenant_id = receipts.tenant_id
            and links.source_id = receipts.receipt_id
    where
        links.source_type = 'receipt'
        and links.verdict <> 'mismatch'
        and receipts.verdict <> 'mismatch'
)

select *
from final
