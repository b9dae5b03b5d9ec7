-- grain: one payout key with fee links: what was withheld beyond the platform's fee on the receipts it pays
{{ config(materialized='view') }}
with fee_links as (
    select
        links.tenant_id,
        links.payout_key,
        links.amount_cents,
        receipts.released_amount_cents
    from {{ ref('stg_kernel__receipt_payout_links') }} as links
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            links.tenant_id = receipts.tenant_id
            and links.source_id = 'fee_' || receipts.receipt_id
    where
        links.source_type = 'fee'
        and links.verdict <> 'mismatch'
        and receipts.verdict <> 'mismatch'
),

final as (
    select
        fee_links.tenant_id,
        fee_links.payout_key,
        -{{ sum_cents('fee_links.amount_cents') }} as withheld_cents,
        {{ sum_cents(share_of('fee_links.released_amount_cents', 'run.platform_fee_bps', '10000')) }} as due_cents
    from fee_links
    cross join {{ ref('stg_tieout__run') }} as run
    group by fee_links.tenant_id, fee_links.payout_key
)

select *
from final
