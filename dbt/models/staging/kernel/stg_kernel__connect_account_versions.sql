-- grain: one version of one connected account of a tenant, as it was exported
with
{{ all_landed('kernel', 'connect_accounts') }},

final as (
    select
        tenant_id,
        account_id,
        party_id,
        payouts_enabled,
        status as connect_status,
        kyb_disabled_reason,
        kyb_last_sync_at as kyb_last_synced_at,
        updated_at,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        batch_id,
        row_no
    from latest
)

select *
from final
