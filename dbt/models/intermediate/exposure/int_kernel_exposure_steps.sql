-- grain: one payout operation in one view (all, or the month its payout key names) of the original's exposure
with operations as (
    select
        tenant_id,
        provider_id,
        coalesce(party_id, case when counterparty_ref like 'party:%' then substr(counterparty_ref, 7) end) as party_id,
        operation_id,
        regexp_extract(payout_key, ':period:([0-9]{4}-[0-9]{2}):', 1) as key_period,
        initiated_at,
        case when operation_state = 'reversed' then coalesce(reversed_at, updated_at, initiated_at) end as reversed_at,
        case
            when operation_state = 'reversed' then amount_cents
            when operation_state in ('initiated', 'submitted', 'confirmed')
                then -coalesce(chargeback_recovery_applied_cents, 0)
            else 0
        end as step_cents
    from {{ ref('stg_kernel__money_rail_operations') }}
    where
        direction = 'payout'
        and amount_cents > 0
),

viewed as (
    select
        *,
        'all' as query_period
    from operations
    where party_id is not null

    union all

    select
        *,
        key_period as query_period
    from operations
    where
        party_id is not null
        and key_period <> ''
),

summed as (
    select
        *,
        {{ running_cents('step_cents', 'tenant_id, provider_id, party_id, query_period', 'initiated_at asc nulls last, operation_id asc nulls last') }} as running_cents
    from viewed
),

floored as (
    select
        *,
        min(running_cents) over (
            partition by tenant_id, provider_id, party_id, query_period
            order by initiated_at asc nulls last, operation_id asc nulls last
            rows between unbounded preceding and current row
        ) as lowest_cents
    from summed
),

balanced as (
    select
        *,
        running_cents - case when lowest_cents < 0 then lowest_cents else 0 end as balance_cents
    from floored
),

final as (
    select
        tenant_id,
        provider_id,
        party_id,
        query_period,
        operation_id,
        initiated_at,
        reversed_at,
        step_cents,
        balance_cents - coalesce(lag(balance_cents) over (
            partition by tenant_id, provider_id, party_id, query_period
            order by initiated_at asc nulls last, operation_id asc nulls last
        ), 0) as applied_cents
    from balanced
)

select *
from final
