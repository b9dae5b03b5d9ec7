-- grain: one event that raises or lowers what a party owes, with the debt before and after it
with entries as (
    select * from {{ ref('int_exposure_dispute_entries') }}
    union all
    select * from {{ ref('int_exposure_refund_entries') }}
    union all
    select * from {{ ref('int_exposure_reversal_entries') }}
    union all
    select * from {{ ref('int_exposure_netting_entries') }}
    union all
    select * from {{ ref('int_exposure_operator_entries') }}
),

keyed as (
    select
        *,
        tenant_id || '|' || currency || '|' || party_key as exposure_key,
        case when debt_cents > 0 then 0 else 1 end as credit_rank
    from entries
),

-- Within one moment debts come before credits.
ranked as (
    select
        *,
        row_number() over (
            partition by exposure_key
            order by
                occurred_at asc nulls last,
                credit_rank asc nulls last,
                entry_id asc nulls last,
                entry_kind asc nulls last
        ) as entry_rank
    from keyed
),

-- A debt never falls below zero: the balance is the running sum less its own lowest point. What a credit
-- finds no debt for is excess: money that the party is owed, kept apart and never netted silently.
summed as (
    select
        *,
        {{ running_cents('debt_cents', 'exposure_key', 'entry_rank asc nulls last') }} as running_cents
    from ranked
),

floored as (
    select
        *,
        min(running_cents) over (
            partition by exposure_key
            order by entry_rank asc nulls last
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

stepped as (
    select
        *,
        coalesce(lag(balance_cents) over (
            partition by exposure_key
            order by entry_rank asc nulls last
        ), 0) as balance_before_cents
    from balanced
),

final as (
    select
        exposure_key,
        tenant_id,
        party_id,
        currency,
        {{ period_of('occurred_at') }} as period,
        entry_rank,
        entry_kind,
        entry_id,
        source_id,
        source_status,
        occurred_at,
        debt_cents,
        balance_cents - balance_before_cents as applied_cents,
        balance_cents - balance_before_cents - debt_cents as excess_cents,
        balance_cents
    from stepped
)

select *
from final
