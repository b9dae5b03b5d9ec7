-- grain: one tenant
with
{{ latest_landed('kernel', 'tenant_profiles', key=['tenant_id']) }},

final as (
    select
        tenant_id,
        merchant_of_record,
        charge_model,
        payer,
        pay_from_period,
        artifact_sha256,
        verdict,
        received_at
    from latest
)

select *
from final
