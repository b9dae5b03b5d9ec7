-- grain: the latest export manifest of one tenant
with
{{ latest_landed('kernel', 'export_manifests', key=['tenant_id']) }},

final as (
    select
        tenant_id,
        signer_keyid,
        manifest_status,
        exported_through,
        files_declared,
        files_ok,
        manifest_sha256,
        received_at
    from latest
)

select *
from final
