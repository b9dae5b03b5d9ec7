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

    select
        tenant_id,
        currency,
        abs(expected_cents - actual_cents) as unexplained_cents
    from {{ ref('int_item_lifecycles') }}
    where
        not is_found
        and lifecycle = 'persisting'
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
