-- grain: one payout provider of a tenant
with
{{ latest_landed('kernel', 'money_rail_providers', key=['tenant_id', 'provider_id']) }},

final as (
    select
        tenant_id,
        provider_id,
        mode as provider_mode,
        allow_payout,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
