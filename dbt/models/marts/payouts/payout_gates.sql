-- grain: one payout instruction
with held as (
    select
        tenant_id,
        payout_key,
        {{ ordered_text('condition_code', 'precedence') }} as held_codes,
        min(precedence) as first_precedence
    from {{ ref('payout_gate_conditions') }}
    where holds
    group by tenant_id, payout_key
),

joined as (
    select
        subjects.*,
        sequence.recovery_cents,
        sequence.net_cents,
        sequence.payable_at,
        sequence.policy_mode,
        days.committed_cents as day_committed_cents,
        destinations.destination_account_id,
        kernel.kernel_condition,
        kernel.kernel_code,
        kernel.kernel_reason,
        kernel.kernel_amount_cents,
        kernel.kernel_counterparty_ref,
        held.held_codes,
        first_conditions.condition_code as first_code
    from {{ ref('int_payout_subjects') }} as subjects
    inner join {{ ref('int_gate_sequence') }} as sequence
        on
            subjects.tenant_id = sequence.tenant_id
            and subjects.payout_key = sequence.payout_key
    inner join {{ ref('int_payout_day_commitments') }} as days
        on
            subjects.tenant_id = days.tenant_id
            and subjects.payout_key = days.payout_key
    inner join {{ ref('int_payout_destinations') }} as destinations
        on
            subjects.tenant_id = destinations.tenant_id
            and subjects.payout_key = destinations.payout_key
    inner join {{ ref('int_kernel_gates') }} as kernel
        on
            subjects.tenant_id = kernel.tenant_id
            and subjects.payout_key = kernel.payout_key
    left join held
        on
            subjects.tenant_id = held.tenant_id
            and subjects.payout_key = held.payout_key
    left join {{ ref('gate_conditions') }} as first_conditions
        on held.first_precedence = first_conditions.precedence
),

decided as (
    select
        *,
        case
            when kernel_condition is not null then 'hold'
            when gross_cents = 0 then 'nothing_due'
            when held_codes is not null then 'hold'
            when net_cents = 0 then 'consumed'
            else 'release'
        end as decision
    from joined
),

final as (
    select
        tenant_id,
        payout_key,
        operation_id,
        artifact_hash,
        provider_id,
        party_id,
        period,
        currency,
        gross_cents,
        case when decision in ('release', 'consumed') then recovery_cents else 0 end as recovery_cents,
        case when decision = 'release' then net_cents else 0 end as release_cents,
        decision,
        first_code,
        kernel_code,
        kernel_reason,
        kernel_amount_cents,
        kernel_counterparty_ref,
        held_codes,
        policy_mode,
        destination_account_id,
        'stripe_connect:' || destination_account_id as counterparty_ref,
        day_committed_cents,
        payable_at,
        as_of as evaluated_as_of,
        expires_at
    from decided
)

select *
from final
