-- grain: one charge that more than one tenant links to a source of its own
with final as (
    select charge_id
    from {{ ref('stg_kernel__charge_links') }}
    group by charge_id
    having count(distinct tenant_id) > 1
)

select *
from final
