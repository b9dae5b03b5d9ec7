-- grain: one payout provider of a tenant, exported or only seen; the original's default where a tenant has none
with named as (
    select
        tenant_id,
        provider_id
    from {{ ref('stg_kernel__money_rail_providers') }}

    union

    select
        tenant_id,
        provider_id
    from {{ ref('stg_kernel__money_rail_operations') }}

    union

    select
        tenant_id,
        provider_id
    from {{ ref('stg_kernel__payout_requests') }}
),

tenants as (
    select tenant_id
    from {{ ref('stg_kernel__payout_instructions') }}

    union

    select tenant_id
    from {{ ref('stg_kernel__tenant_profiles') }}

    union

    select tenant_id
    from {{ ref('stg_kernel__money_rail_controls') }}
),

final as (
    select
        tenant_id,
        provider_id
    from named

    union all

    select
        tenants.tenant_id,
        'stub_default' as provider_id
    from tenants
    left join named on tenants.tenant_id = named.tenant_id
    where named.tenant_id is null
)

select *
from final
