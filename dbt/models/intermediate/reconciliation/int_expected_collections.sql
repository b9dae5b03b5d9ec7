-- grain: one charge of a tenant in one currency: what its receipts say the customer paid
{{ config(materialized='view') }}
with final as (
    select
        sources.tenant_id,
        sources.charge_id,
        sources.currency,
        min(sources.party_id) as party_id,
        min(sources.receipt_id) as receipt_id,
        count(*) as sources,
        {{ sum_cents('sources.amount_cents') }} as expected_cents,
        min(sources.receipted_at) as receipted_at,
        {{ add_days('min(sources.receipted_at)', 'min(run.collection_due_days)') }} as expected_by
    from {{ ref('int_charge_sources') }} as sources
    cross join {{ ref('stg_tieout__run') }} as run
    group by sources.tenant_id, sources.charge_id, sources.currency
)

select *
from final
