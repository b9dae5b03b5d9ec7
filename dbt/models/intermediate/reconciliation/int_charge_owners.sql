-- grain: one charge that exactly one tenant links to a receipt or a party
{{ config(
    materialized='carried',
    carried_key=['charge_id'],
    touched_by='select charge_id from changed.stg_kernel__charge_links',
    narrowed={'stg_kernel__charge_links': ['charge_id']},
) }}
with linked as (
    select
        charge_id,
        min(tenant_id) as tenant_id,
        min(party_id) as party_id,
        min(source_id) as source_id,
        max(tenant_id) as last_tenant_id,
        max(party_id) as last_party_id
    from {{ ref('stg_kernel__charge_links') }}
    group by charge_id
),

final as (
    select
        charge_id,
        tenant_id,
        case when party_id = last_party_id then party_id end as party_id,
        source_id
    from linked
    where tenant_id = last_tenant_id
)

select *
from final
