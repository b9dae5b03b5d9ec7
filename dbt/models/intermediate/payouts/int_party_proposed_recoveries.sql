-- grain: one party of one provider of a tenant: what the kernel set off in operations that nobody has paid
with proposed as (
    select operations.*
    from {{ ref('int_payout_operations') }} as operations
    left join {{ ref('int_payout_states') }} as states
        on
            operations.tenant_id = states.tenant_id
            and operations.payout_key = states.payout_key
    where
        operations.is_initiated
        and not coalesce(states.is_paid or states.is_unresolved, false)
),

final as (
    select
        proposed.tenant_id,
        proposed.provider_id,
        proposed.party_id,
        -{{ sum_cents('steps.applied_cents') }} as proposed_cents
    from proposed
    inner join {{ ref('int_kernel_exposure_steps') }} as steps
        on
            proposed.tenant_id = steps.tenant_id
            and proposed.provider_id = steps.provider_id
            and proposed.operation_id = steps.operation_id
    where
        steps.query_period = 'all'
        and steps.applied_cents < 0
    group by proposed.tenant_id, proposed.provider_id, proposed.party_id
)

select *
from final
