-- grain: one tenant, month and currency of billable use; runs and cases count once, in the month's currency USD
with events as (
    select
        tenant_id,
        coalesce(period, {{ period_of('occurred_at') }}) as period,
        lower(event_type) as event_type,
        coalesce(quantity, 1) as quantity,
        coalesce(amount_cents, 0) as amount_cents,
        -- A plan is priced in US dollars; only a share of volume follows the currency of the volume.
        case when lower(event_type) = 'settled_volume' then coalesce(upper(currency), 'USD') else 'USD' end as currency
    from {{ ref('stg_kernel__billable_events') }}
),

months as (
    select
        tenant_id,
        period
    from events
    where period is not null

    union

    select
        tenant_id,
        period
    from {{ ref('stg_kernel__month_closes') }}
    where period is not null
),

metered as (
    select
        tenant_id,
        period,
        currency,
        {{ sum_cents("case when event_type = 'verified_run' then quantity end") }} as verified_runs,
        {{ sum_cents("case when event_type = 'settled_volume' then amount_cents end") }} as settled_volume_cents,
        {{ sum_cents("case when event_type in ('arbitration_usage', 'arbitration_case') then quantity end") }} as arbitration_cases,
        count(case when event_type = 'verified_run' then 1 end) as run_events,
        count(case when event_type = 'settled_volume' then 1 end) as volume_events,
        count(case when event_type in ('arbitration_usage', 'arbitration_case') then 1 end) as case_events
    from events
    where period is not null
    group by tenant_id, period, currency
),

-- A month without use still owes its subscription.
slots as (
    select
        tenant_id,
        period,
        'USD' as currency
    from months

    union

    select
        tenant_id,
        period,
        currency
    from metered
),

final as (
    select
        slots.tenant_id,
        slots.period,
        slots.currency,
        coalesce(metered.verified_runs, 0) as verified_runs,
        coalesce(metered.settled_volume_cents, 0) as settled_volume_cents,
        coalesce(metered.arbitration_cases, 0) as arbitration_cases,
        coalesce(metered.run_events, 0) as run_events,
        coalesce(metered.volume_events, 0) as volume_events,
        coalesce(metered.case_events, 0) as case_events
    from slots
    left join metered
        on
            slots.tenant_id = metered.tenant_id
            and slots.period = metered.period
            and slots.currency = metered.currency
)

select *
from final
