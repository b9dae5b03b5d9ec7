-- grain: one connected account of a tenant that people disabled and people have not enabled again
{{ config(materialized='view') }}
with disabled as (
    select
        tenant_id,
        account_id,
        max(updated_at) as disabled_at
    from {{ ref('stg_kernel__connect_account_versions') }}
    where
        connect_status = 'disabled'
        and kyb_disabled_reason is null
    group by tenant_id, account_id
),

-- The kernel's sync sets an account active; such a version is dated by the sync itself and enables nothing here.
enabled as (
    select
        tenant_id,
        account_id,
        max(updated_at) as enabled_at
    from {{ ref('stg_kernel__connect_account_versions') }} as versions
    where
        {{ may_fund('versions') }}
        and coalesce(connect_status, 'active') = 'active'
        and (kyb_last_synced_at is null or kyb_last_synced_at < updated_at)
    group by tenant_id, account_id
),

final as (
    select
        disabled.tenant_id,
        disabled.account_id,
        disabled.disabled_at
    from disabled
    left join enabled
        on
            disabled.tenant_id = enabled.tenant_id
            and disabled.account_id = enabled.account_id
            and disabled.disabled_at < enabled.enabled_at
    where enabled.account_id is null
)

select *
from final
