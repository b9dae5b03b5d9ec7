-- grain: one drill as carried out: the same drill over the same facts is the same row
with
{{ latest_landed('tieout', 'drills', key=['tenant_id', 'artifact_sha256']) }},

final as (
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
    from latest
)

select *
from final
