-- grain: one connected account that exactly one tenant claims
{{ config(materialized='carried', carried_key=['account_id']) }}
with mapped as (
    select
        account_id,
        min(tenant_id) as tenant_id,
        min(party_id) as party_id,
        count(distinct tenant_id) as tenants
    from {{ ref('stg_kernel__connect_accounts') }}
    group by account_id
),

final as (
    select
        account_id,
        tenant_id,
        party_id
    from mapped
    where tenants = 1
)

select *
from final
