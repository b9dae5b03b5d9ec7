-- grain: one tenant, month and currency: money waiting for its other side, from opening to closing, never netted
with first_opened as (
    select
        tenant_id,
        currency,
        min(opened_period) as opened_period
    from {{ ref('int_open_item_spans') }}
    group by tenant_id, currency
),

flows as (
    select
        tenant_id,
        opened_period as period,
        currency,
        -- What opens because a write-off was revoked is no new money: it is the reverse of what was written off.
        case when is_reinstated then 0 else amount_cents end as new_cents,
        case when is_reinstated then 0 else items end as new_items,
        0 as cleared_cents,
        case when is_reinstated then -items else 0 end as cleared_items,
        case when is_reinstated then -amount_cents else 0 end as written_off_cents
    from {{ ref('int_open_item_spans') }}

    union all

    select
        tenant_id,
        cleared_period as period,
        currency,
        0 as new_cents,
        0 as new_items,
        case when is_written_off then 0 else amount_cents end as cleared_cents,
        items as cleared_items,
        case when is_written_off then amount_cents else 0 end as written_off_cents
    from {{ ref('int_open_item_spans') }}
    where cleared_period is not null

    union all

    -- Every month since the first has its row, busy or not.
    select
        first_opened.tenant_id,
        months.period,
        first_opened.currency,
        0 as new_cents,
        0 as new_items,
        0 as cleared_cents,
        0 as cleared_items,
        0 as written_off_cents
    from first_opened
    inner join {{ ref('int_calendar_months') }} as months
        on first_opened.opened_period <= months.period
),

months as (
    select
        tenant_id,
        period,
        currency,
        {{ sum_cents('new_cents') }} as new_cents,
        {{ sum_cents('new_items') }} as new_items,
        {{ sum_cents('cleared_cents') }} as cleared_cents,
        {{ sum_cents('cleared_items') }} as cleared_items,
        {{ sum_cents('written_off_cents') }} as written_off_cents
    from flows
    group by tenant_id, period, currency
),

opened as (
    select
        *,
        {{ running_cents(
            'new_cents - cleared_cents - written_off_cents', 'tenant_id, currency', 'period asc nulls last', preceding_only=true
        ) }} as opening_cents
    from months
),

-- The closing is counted from what is open at the end of the month, not from the flows it is compared with.
closed as (
    select
        months.tenant_id,
        months.period,
        months.currency,
        {{ sum_cents('spans.amount_cents') }} as closing_cents,
        {{ sum_cents('spans.items') }} as closing_items
    from months
    inner join {{ ref('int_open_item_spans') }} as spans
        on
            months.tenant_id = spans.tenant_id
            and months.currency = spans.currency
            and spans.opened_period <= months.period
            and (spans.cleared_period is null or spans.cleared_period > months.period)
    group by months.tenant_id, months.period, months.currency
),

final as (
    select
        opened.tenant_id,
        opened.period,
        opened.currency,
        opened.opening_cents,
        opened.new_cents,
        opened.cleared_cents,
        opened.written_off_cents,
        coalesce(closed.closing_cents, 0) as closing_cents,
        opened.opening_cents + opened.new_cents - opened.cleared_cents - opened.written_off_cents
        - coalesce(closed.closing_cents, 0) as residual_cents,
        opened.new_items,
        opened.cleared_items,
        coalesce(closed.closing_items, 0) as closing_items
    from opened
    left join closed
        on
            opened.tenant_id = closed.tenant_id
            and opened.period = closed.period
            and opened.currency = closed.currency
)

select *
from final
