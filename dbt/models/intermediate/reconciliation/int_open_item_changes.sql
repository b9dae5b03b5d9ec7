-- grain: one moment at which one break rose or fell: found, matched, written off, taken back, or cured without a match
with states as (
    select
        *,
        lead(stated_at) over (partition by break_id order by stated_at asc nulls last) as next_stated_at,
        lag(open_cents) over (partition by break_id order by stated_at asc nulls last) as open_before_cents,
        -- Of what is found late, only what is open then enters.
        matched_cents - coalesce(
            lag(matched_cents) over (partition by break_id order by stated_at asc nulls last),
            case when opened_at < stated_at then 0 else matched_cents end
        ) as matched_change_cents
    from {{ ref('int_open_item_states') }}
),

-- What is first seen opened when its source says; what changes without a match changed when a publication saw it.
found as (
    select
        tenant_id,
        break_id,
        currency,
        case when stated_before_at is null then opened_at else stated_at end as changed_at,
        -- A match that is withdrawn opens what it had closed.
        open_cents - coalesce(open_before_cents, 0) + greatest(matched_change_cents, 0) as change_cents,
        false as is_write_off
    from states
),

matches as (
    select
        break_id,
        stated_at,
        matched_at,
        matched_cents
    from {{ ref('int_told_matches') }}

    union all

    select
        matches.break_id,
        run.as_of as stated_at,
        matches.matched_at,
        matches.matched_cents
    from {{ ref('int_open_item_matches') }} as matches
    cross join {{ ref('stg_tieout__run') }} as run
),

since_before as (
    select
        states.break_id,
        states.stated_at,
        matches.matched_at,
        matches.matched_cents,
        sum(matches.matched_cents) over (partition by states.break_id, states.stated_at) as matched_change_cents
    from states
    inner join matches
        on
            states.break_id = matches.break_id
            and states.stated_at = matches.stated_at
            and states.stated_at >= matches.matched_at
            and coalesce(states.stated_before_at < matches.matched_at, true)
),

-- Matches have their own time, unless what they amount to now is no sum of those since the publication before.
matched as (
    select
        states.tenant_id,
        states.break_id,
        states.currency,
        coalesce(since_before.matched_at, states.stated_at) as changed_at,
        -coalesce(since_before.matched_cents, states.matched_change_cents) as change_cents,
        false as is_write_off
    from states
    left join since_before
        on
            states.break_id = since_before.break_id
            and states.stated_at = since_before.stated_at
            and states.matched_change_cents = since_before.matched_change_cents
    where states.matched_change_cents > 0
),

postings as (
    select
        tenant_id,
        break_id,
        currency,
        drift_cents,
        posted_at,
        case when posting = 'posted' then 1 else -1 end as turn
    from {{ ref('int_write_offs') }}
    where break_id is not null
),

-- Whether a break is written off can change when somebody signs and when its difference is seen to be another.
moments as (
    select
        tenant_id,
        break_id,
        currency,
        posted_at as changed_at
    from postings

    union distinct

    select
        states.tenant_id,
        states.break_id,
        states.currency,
        states.stated_at as changed_at
    from states
    inner join postings
        on
            states.tenant_id = postings.tenant_id
            and states.break_id = postings.break_id
            and states.currency = postings.currency
),

-- Before the first publication a break was as that found it.
in_force as (
    select
        moments.tenant_id,
        moments.break_id,
        moments.currency,
        moments.changed_at,
        states.drift_cents,
        states.open_cents
    from moments
    inner join states
        on
            moments.tenant_id = states.tenant_id
            and moments.break_id = states.break_id
            and moments.currency = states.currency
            and (states.stated_before_at is null or states.stated_at <= moments.changed_at)
            and (states.next_stated_at is null or states.next_stated_at > moments.changed_at)
),

-- A write-off closes exactly the difference that two people saw; of several the first posts and the last reverses.
given_up as (
    select
        in_force.tenant_id,
        in_force.break_id,
        in_force.currency,
        in_force.changed_at,
        case when sum(postings.turn) > 0 then min(in_force.open_cents) else 0 end as given_up_cents
    from in_force
    left join postings
        on
            in_force.tenant_id = postings.tenant_id
            and in_force.break_id = postings.break_id
            and in_force.currency = postings.currency
            and in_force.drift_cents = postings.drift_cents
            and in_force.changed_at >= postings.posted_at
    group by in_force.tenant_id, in_force.break_id, in_force.currency, in_force.changed_at
),

written_off as (
    select
        tenant_id,
        break_id,
        currency,
        changed_at,
        coalesce(lag(given_up_cents) over (partition by break_id order by changed_at asc nulls last), 0)
        - given_up_cents as change_cents,
        true as is_write_off
    from given_up
),

changes as (
    select * from found
    union all
    select * from matched
    union all
    select * from written_off
),

final as (
    select
        tenant_id,
        break_id,
        currency,
        changed_at,
        change_cents,
        is_write_off
    from changes
    where change_cents <> 0
)

select *
from final
