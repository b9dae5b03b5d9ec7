-- grain: one break id and earlier publication at which what was open or matched of it changed
with history as (
    select
        breaks.break_id,
        breaks.run_id,
        breaks.tenant_id,
        breaks.currency,
        breaks.item_kind,
        breaks.payout_key,
        breaks.rail_object_id,
        breaks.opened_at,
        log.as_of as stated_at,
        breaks.drift_cents,
        breaks.open_cents,
        breaks.matched_cents,
        -- Two publications of one instant say one thing; the later of them is kept.
        row_number() over (
            partition by breaks.break_id, log.as_of
            order by breaks.run_id desc nulls last
        ) as run_rank
    from {{ ref('stg_tieout__breaks') }} as breaks
    inner join {{ ref('stg_tieout__run_log') }} as log
        on breaks.run_id = log.run_id
    cross join {{ ref('stg_tieout__run') }} as run
    where
        log.as_of < run.as_of
        -- A publication from before amounts were kept says nothing of them.
        and breaks.open_cents is not null
),

stated as (
    select
        *,
        lag(stated_at) over (partition by break_id order by stated_at asc nulls last) as stated_before_at,
        max(stated_at) over (partition by break_id) as last_stated_at,
        lag(drift_cents) over (partition by break_id order by stated_at asc nulls last) as drift_before_cents,
        lag(open_cents) over (partition by break_id order by stated_at asc nulls last) as open_before_cents,
        lag(matched_cents) over (partition by break_id order by stated_at asc nulls last) as matched_before_cents
    from history
    where run_rank = 1
),

final as (
    select
        break_id,
        run_id,
        tenant_id,
        currency,
        item_kind,
        payout_key,
        rail_object_id,
        -- When it opened stays what the first publication said.
        min(opened_at) over (partition by break_id) as opened_at,
        stated_at,
        stated_before_at,
        last_stated_at,
        drift_cents,
        open_cents,
        matched_cents
    from stated
    where
        stated_before_at is null
        or drift_before_cents <> drift_cents
        or open_before_cents <> open_cents
        or matched_before_cents <> matched_cents
)

select *
from final
