-- grain: one request to pay an instruction
with
{{ latest_landed('kernel', 'payout_requests', key=['tenant_id', 'payout_key'], newest_first=['requested_at']) }},

final as (
    select
        tenant_id,
        payout_key,
        provider_id,
        counterparty_ref,
        requested_at,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
