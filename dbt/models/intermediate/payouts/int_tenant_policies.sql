-- grain: one tenant: the strictest exposure policy over its providers
{{ config(materialized='view') }}
select
    tenant_id,
    case min(case policy_mode when 'hold' then 1 when 'net' then 2 else 3 end)
        when 1 then 'hold'
        when 2 then 'net'
        else 'off'
    end as policy_mode
from {{ ref('int_payout_controls') }}
group by tenant_id
