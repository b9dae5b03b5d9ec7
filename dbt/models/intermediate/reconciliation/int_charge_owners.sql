-- grain: one charge that exactly one tenant links to a receipt or a party
with linked as (
    select
        charge_id,
        min(tenant_id) as tenant_id,
        min(party_id) as party_id,
        min(source_id) as source_id,
        count(distinct tenant_id) as tenants,
        count(distinct party_id) as parties
    from {{ ref('stg_kernel__charge_links') }}
    group by charge_id
),

final as (
    select
        charge_id,
        tenant_id,
        case when parties = 1 then party_id end as party_id,
        source_id
    from linked
    where tenants = 1
)

select *
from final
