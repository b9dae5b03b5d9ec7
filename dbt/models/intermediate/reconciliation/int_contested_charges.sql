-- grain: one charge that more than one tenant links to a source of its own
{{ config(
    materialized='carried',
    carried_key=['charge_id'],
    touched_by='select charge_id from changed.stg_kernel__charge_links',
    narrowed={'stg_kernel__charge_links': ['charge_id']},
) }}
with final as (
    select charge_id
    from {{ ref('stg_kernel__charge_links') }}
    group by charge_id
    having min(tenant_id) <> max(tenant_id)
)

select *
from final
