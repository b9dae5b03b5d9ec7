-- grain: one provider of a tenant: what the original counts against its daily limit today
{{ config(materialized='view') }}
with final as (
    select
        operations.tenant_id,
        operations.provider_id,
        {{ sum_cents('operations.amount_cents') }} as committed_cents
    from {{ ref('stg_kernel__money_rail_operations') }} as operations
    inner join {{ ref('stg_tieout__run') }} as run
        on cast(operations.initiated_at as date) = cast(run.as_of as date)
    where
        operations.direction = 'payout'
        and operations.operation_state in ('initiated', 'submitted', 'confirmed')
    group by operations.tenant_id, operations.provider_id
)

select *
from final
