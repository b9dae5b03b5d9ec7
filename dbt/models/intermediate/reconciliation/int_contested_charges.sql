-- grain: one charge that more than one tenant links to a source of its own
{{ config(materialized='view') }}
with final as (
    select charge_id
    from {{ ref('stg_kernel__charge_links') }}
    group by charge_id
    having min(tenant_id) <> max(tenant_id)
)

select *
from final
