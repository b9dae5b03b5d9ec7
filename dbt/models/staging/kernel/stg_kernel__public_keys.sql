-- grain: one exported public key
with
{{ latest_landed('kernel', 'public_keys', key=['tenant_id', 'key_id']) }},

final as (
    select
        tenant_id,
        key_id,
        public_key_pem,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
