-- grain: one condition of one payout instruction
with conditions as (
    select * from {{ ref('int_gate_control_conditions') }}
    union all
    select * from {{ ref('int_gate_evidence_conditions') }}
    union all
    select * from {{ ref('int_gate_payment_conditions') }}
    union all
    select * from {{ ref('int_gate_sum_conditions') }}
),

final as (
    select
        conditions.tenant_id,
        conditions.payout_key,
        conditions.condition_code,
        cast(listed.precedence as bigint) as precedence,
        -- What the original alone refuses is refused here too, whatever our own reading says.
        conditions.holds or coalesce(kernel.kernel_condition = conditions.condition_code, false) as holds,
        listed.overridable,
        listed.kernel_code as is_kernel_condition,
        listed.original_code,
        conditions.observed,
        conditions.threshold,
        conditions.evidence_source as source
    from conditions
    inner join {{ ref('gate_conditions') }} as listed
        on conditions.condition_code = listed.condition_code
    inner join {{ ref('int_kernel_gates') }} as kernel
        on
            conditions.tenant_id = kernel.tenant_id
            and conditions.payout_key = kernel.payout_key
)

select *
from final
