-- grain: one party (null: not known) of a tenant in one currency and month: what is held back, opening to closing
with
-- What its artifacts give no time for counts as held since it was resolved, or now.
timed as (
    select
        positions.*,
        coalesce(positions.created_at, positions.resolved_at, run.as_of) as opened_at,
        case
            when positions.hold_status <> 'held' then coalesce(positions.resolved_at, positions.created_at, run.as_of)
        end as closed_at
    from {{ ref('int_hold_positions') }} as positions
    cross join {{ ref('stg_tieout__run') }} as run
),

dated as (
    select
        *,
        {{ period_of('opened_at') }} as held_period,
        case when closed_at < opened_at then {{ period_of('opened_at') }} else {{ period_of('closed_at') }} end as resolved_period
    from timed
),

holds as (
    select
        tenant_id,
        party_id,
        currency,
        held_period,
        resolved_period,
        {{ sum_cents('hold_cents') }} as hold_cents,
        {{ sum_cents('released_cents') }} as released_cents,
        {{ sum_cents('refunded_cents') }} as refunded_cents
    from dated
    group by tenant_id, party_id, currency, held_period, resolved_period
),

first_held as (
    select
        tenant_id,
        party_id,
        currency,
        min(held_period) as held_period
    from holds
    group by tenant_id, party_id, currency
),

flows as (
    select
        tenant_id,
        party_id,
        currency,
        held_period as period,
        hold_cents as new_cents,
        0 as released_cents,
        0 as refunded_cents
    from holds

    union all

    select
        tenant_id,
        party_id,
        currency,
        resolved_period as period,
        0 as new_cents,
        released_cents,
        refunded_cents
    from holds
    where resolved_period is not null

    union all

    -- Every month since the first has its row, busy or not.
    select
        first_held.tenant_id,
        first_held.party_id,
        first_held.currency,
        months.period,
        0 as new_cents,
        0 as released_cents,
        0 as refunded_cents
    from first_held
    inner join {{ ref('int_calendar_months') }} as months
        on first_held.held_period <= months.period
),

months as (
    select
        tenant_id,
        party_id,
        coalesce(party_id, '') as party_key,
        currency,
        period,
        {{ sum_cents('new_cents') }} as new_cents,
        {{ sum_cents('released_cents') }} as released_cents,
        {{ sum_cents('refunded_cents') }} as refunded_cents
    from flows
    group by tenant_id, party_id, currency, period
),

opened as (
    select
        *,
        {{ running_cents(
            'new_cents - released_cents - refunded_cents', 'tenant_id, party_key, currency', 'period asc nulls last', preceding_only=true
        ) }} as opening_cents
    from months
),

-- The closing is counted from the holds that stand at the end of the month, not from the flows.
closed as (
    select
        months.tenant_id,
        months.party_key,
        months.currency,
        months.period,
        {{ sum_cents('holds.hold_cents') }} as closing_cents
    from months
    inner join holds
        on
            months.tenant_id = holds.tenant_id
            and months.party_key = coalesce(holds.party_id, '')
            and months.currency = holds.currency
            and holds.held_period <= months.period
            and (holds.resolved_period is null or holds.resolved_period > months.period)
    group by months.tenant_id, months.party_key, months.currency, months.period
),

final as (
    select
        opened.tenant_id,
        opened.party_key,
        opened.party_id,
        opened.period,
        opened.currency,
        opened.opening_cents,
        opened.new_cents,
        opened.released_cents,
        opened.refunded_cents,
        coalesce(closed.closing_cents, 0) as closing_cents,
        opened.opening_cents + opened.new_cents - opened.released_cents - opened.refunded_cents
        - coalesce(closed.closing_cents, 0) as residual_cents
    from opened
    left join closed
        on
            opened.tenant_id = closed.tenant_id
            and opened.party_key = closed.party_key
            and opened.currency = closed.currency
            and opened.period = closed.period
)

select *
from final
