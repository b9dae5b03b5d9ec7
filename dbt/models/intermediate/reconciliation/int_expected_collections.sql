-- grain: one charge of a tenant in one currency: what its receipts say the customer paid
with links as (
    select
        links.tenant_id,
        links.charge_id,
        links.currency,
        links.party_id,
        links.source_type,
        links.source_id,
        links.amount_cents,
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
),

final as (
    select
        links.tenant_id,
        links.charge_id,
        links.currency,
        min(links.party_id) as party_id,
        min(links.source_id) as receipt_id,
        count(*) as sources,
        {{ sum_cents('links.amount_cents') }} as expected_cents,
        min(links.receipted_at) as receipted_at,
        {{ add_days('min(links.receipted_at)', 'min(run.collection_due_days)') }} as expected_by
    from links
    cross join {{ ref('stg_tieout__run') }} as run
    group by links.tenant_id, links.charge_id, links.currency
)

select *
from final
