-- grain: one tenant, currency, month opened and month cleared: money that met its other side before any publication held it open
with unfollowed as (
    select
        matches.tenant_id,
        matches.currency,
        matches.opened_at,
        matches.matched_at as cleared_at,
        matches.matched_cents as amount_cents
    from {{ ref('int_matches') }} as matches
    left join {{ ref('int_open_item_matches') }} as followed
        on
            matches.item_kind = followed.item_kind
            and matches.tenant_id = followed.tenant_id
            and matches.currency = followed.currency
            and matches.match_key = followed.match_key
    where followed.break_id is null
),

-- Money that came before its reason was never open: it opens and clears in the month of the later one.
timed as (
    select
        tenant_id,
        currency,
        coalesce(opened_at, cleared_at) as opened_at,
        greatest(cleared_at, coalesce(opened_at, cleared_at)) as cleared_at,
        amount_cents
    from unfollowed
),

months as (
    select distinct
        tenant_id,
        {{ period_of('opened_at') }} as period
    from timed

    union distinct

    select distinct
        tenant_id,
        {{ period_of('cleared_at') }} as period
    from timed
),

told_by as {{ told_by('months', 'period') }},

-- A month that was told stays as it was then: of what came late only its clearing enters a month, and one not told yet.
untold as (
    select
        timed.tenant_id,
        timed.currency,
        {{ period_of('case when opened_in.told_at is null then timed.opened_at else timed.cleared_at end') }} as opened_period,
        {{ period_of('timed.cleared_at') }} as cleared_period,
        timed.amount_cents
    from timed
    left join told_by as opened_in
        on
            timed.tenant_id = opened_in.tenant_id
            and {{ period_of('timed.opened_at') }} = opened_in.period
    left join told_by as cleared_in
        on
            timed.tenant_id = cleared_in.tenant_id
            and {{ period_of('timed.cleared_at') }} = cleared_in.period
    where
        opened_in.told_at is null
        or (timed.cleared_at > opened_in.told_at and cleared_in.told_at is null)
),

final as (
    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        {{ sum_cents('amount_cents') }} as amount_cents,
        count(*) as items
    from untold
    group by tenant_id, currency, opened_period, cleared_period
)

select *
from final
