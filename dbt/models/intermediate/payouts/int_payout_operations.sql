-- grain: one payout key of a tenant for which the kernel has an operation, over all providers
with ranked as (
    select
        *,
        case operation_state
            when 'confirmed' then 1
            when 'submitted' then 2
            when 'initiated' then 3
            when 'reversed' then 4
            else 5
        end as state_rank
    from {{ ref('stg_kernel__money_rail_operations') }}
    where
        direction = 'payout'
        and payout_key is not null
),

chosen as (
    select
        *,
        row_number() over (
            partition by tenant_id, payout_key
            order by
                state_rank asc nulls last,
                initiated_at desc nulls last,
                provider_id asc nulls last,
                operation_id asc nulls last
        ) as choice
    from ranked
),

final as (
    select
        tenant_id,
        payout_key,
        provider_id,
        operation_id,
        operation_state,
        amount_cents,
        currency,
        coalesce(party_id, case when counterparty_ref like 'party:%' then substr(counterparty_ref, 7) end) as party_id,
        coalesce(period, regexp_extract(payout_key, ':period:([0-9]{4}-[0-9]{2}):', 1)) as period,
        counterparty_ref,
        stripe_connect_account_id,
        payout_artifact_hash,
        coalesce(chargeback_recovery_applied_cents, 0) as chargeback_recovery_applied_cents,
        coalesce(payout_amount_gross_cents, amount_cents + coalesce(chargeback_recovery_applied_cents, 0)) as gross_cents,
        initiated_at,
        coalesce(submitted_at, confirmed_at) as paid_at,
        operation_state in ('initiated', 'submitted', 'confirmed') as is_live,
        operation_state in ('submitted', 'confirmed') as is_paid,
        operation_state = 'initiated' as is_initiated,
        operation_state in ('failed', 'cancelled', 'reversed') as is_terminal
    from chosen
    where choice = 1
)

select *
from final
