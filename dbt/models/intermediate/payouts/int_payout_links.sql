-- grain: one source of a payout as its link states it, read once for everything that asks about sources
{{ config(materialized='view') }}
select
    tenant_id,
    payout_key,
    source_type,
    source_id,
    source_hash,
    amount_cents,
    currency,
    {{ may_fund('links') }} as may_fund
from {{ ref('stg_kernel__receipt_payout_links') }} as links
