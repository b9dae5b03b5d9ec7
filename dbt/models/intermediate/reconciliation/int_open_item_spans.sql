-- grain: one tenant, currency, month opened, month cleared (null: still open) and how of both: money that waited for the other side
-- What rose first falls first.
with rises as (
    select
        *,
        {{ running_cents('change_cents', 'break_id', 'changed_at asc nulls last, is_write_off asc nulls last') }} as up_to_cents
    from {{ ref('int_open_item_changes') }}
    where change_cents > 0
),

falls as (
    select
        *,
        {{ running_cents('-change_cents', 'break_id', 'changed_at asc nulls last, is_write_off asc nulls last') }} as up_to_cents
    from {{ ref('int_open_item_changes') }}
    where change_cents < 0
),

fallen as (
    select
        break_id,
        max(up_to_cents) as fallen_cents
    from falls
    group by break_id
),

paired as (
    select
        rises.tenant_id,
        rises.currency,
        rises.changed_at as opened_at,
        coalesce(falls.changed_at, rises.changed_at) as cleared_at,
        least(rises.up_to_cents, falls.up_to_cents)
        - greatest(rises.up_to_cents - rises.change_cents, falls.up_to_cents + falls.change_cents) as amount_cents,
        falls.is_write_off as is_written_off,
        rises.is_write_off as is_reinstated
    from rises
    inner join falls
        on
            rises.break_id = falls.break_id
            and rises.up_to_cents > falls.up_to_cents + falls.change_cents
            and falls.up_to_cents > rises.up_to_cents - rises.change_cents
),

left_open as (
    select
        rises.tenant_id,
        rises.currency,
        rises.changed_at as opened_at,
        cast(null as {{ dbt.type_timestamp() }}) as cleared_at,
        least(rises.change_cents, rises.up_to_cents - coalesce(fallen.fallen_cents, 0)) as amount_cents,
        false as is_written_off,
        rises.is_write_off as is_reinstated
    from rises
    left join fallen
        on rises.break_id = fallen.break_id
    where rises.up_to_cents > coalesce(fallen.fallen_cents, 0)
),

spans as (
    select *
    from paired

    union all

    select *
    from left_open
),

-- What its source gives no time for opens when it clears, or now.
opened as (
    select
        spans.tenant_id,
        spans.currency,
        coalesce(spans.opened_at, spans.cleared_at, run.as_of) as opened_at,
        spans.cleared_at,
        spans.amount_cents,
        spans.is_written_off,
        spans.is_reinstated
    from spans
    cross join {{ ref('stg_tieout__run') }} as run
),

-- Money that came before its reason was never open: it opens and clears in the month of the later one.
dated as (
    select
        tenant_id,
        currency,
        {{ period_of('opened_at') }} as opened_period,
        case when cleared_at < opened_at then {{ period_of('opened_at') }} else {{ period_of('cleared_at') }} end as cleared_period,
        amount_cents,
        is_written_off,
        is_reinstated
    from opened
),

counted as (
    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        is_written_off,
        is_reinstated,
        amount_cents,
        1 as items
    from dated

    union all

    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        false as is_written_off,
        false as is_reinstated,
        amount_cents,
        items
    from {{ ref('int_matched_spans') }}

    union all

    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        false as is_written_off,
        false as is_reinstated,
        amount_cents,
        items
    from {{ ref('int_told_spans') }}
),

final as (
    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        is_written_off,
        is_reinstated,
        {{ sum_cents('amount_cents') }} as amount_cents,
        {{ sum_cents('items') }} as items
    from counted
    group by tenant_id, currency, opened_period, cleared_period, is_written_off, is_reinstated
)

select *
from final
