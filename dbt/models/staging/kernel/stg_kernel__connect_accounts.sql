-- grain: one connected account of a tenant
with
{{ latest_landed('kernel', 'connect_accounts', key=['tenant_id', 'account_id'], newest_first=['updated_at']) }},

final as (
    select
        tenant_id,
        account_id,
        party_id,
        party_role,
        payouts_enabled,
        transfers_enabled,
        status as connect_status,
        kyb_status,
        updated_at,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
