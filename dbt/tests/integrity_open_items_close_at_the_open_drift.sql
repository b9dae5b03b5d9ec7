-- The last closing of the open items equals what every run has still open, but for what is written off.
with newest as (
    select
        tenant_id,
        currency,
        max(period) as period
    from {{ ref('open_item_rollforward') }}
    group by tenant_id, currency
),

items as (
    select
        tenant_id,
        currency,
        unexplained_cents
    from {{ ref('int_open_items') }}
    where not is_written_off

    union all

    -- What was not read again is open as it was, unless that very difference was written off.
    select
        states.tenant_id,
        states.currency,
        states.open_cents as unexplained_cents
    from {{ ref('int_open_item_states') }} as states
    inner join {{ ref('int_item_lifecycles') }} as lifecycles
        on states.break_id = lifecycles.break_id
    left join {{ ref('int_write_offs') }} as write_offs
        on
            states.break_id = write_offs.break_id
            and states.tenant_id = write_offs.tenant_id
            and states.currency = write_offs.currency
            and states.drift_cents = write_offs.drift_cents
            and write_offs.is_standing
    where
        states.is_of_run
        and not lifecycles.is_found
        and lifecycles.lifecycle = 'persisting'
        and write_offs.break_id is null
),

open_now as (
    select
        tenant_id,
        currency,
        {{ sum_cents('unexplained_cents') }} as open_cents
    from items
    group by tenant_id, currency
)

select
    rolled.tenant_id,
    rolled.currency,
    rolled.closing_cents,
    open_now.open_cents
from {{ ref('open_item_rollforward') }} as rolled
inner join newest
    on
        rolled.tenant_id = newest.tenant_id
        and rolled.currency = newest.currency
        and rolled.period = newest.period
left join open_now
    on
        rolled.tenant_id = open_now.tenant_id
        and rolled.currency = open_now.currency
where rolled.closing_cents <> coalesce(open_now.open_cents, 0)
