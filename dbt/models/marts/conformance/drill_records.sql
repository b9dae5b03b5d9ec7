-- grain: one drill of a chargeback or refund, carried out as a what-if and recorded
with final as (
    select
        tenant_id,
        artifact_sha256,
        period,
        drill,
        provider_id,
        operation_id,
        party_id,
        drill_status,
        outstanding_cents,
        currency,
        payout_code,
        record
    from {{ ref('stg_tieout__drills') }}
)

select *
from final
