-- grain: one approved override of which a later publication showed that what two people accepted was no more
with
{{ paired_acts(ref('stg_tieout__overrides'), 'override_id') }},

approved as (
    select *
    from paired
    where act_status = 'approved'
),

earlier_runs as (
    select
        log.run_id,
        log.as_of
    from {{ ref('stg_tieout__run_log') }} as log
    cross join run
    where log.as_of < run.as_of
),

-- A source that was not read to its end says nothing about the drift, so that reason ends nothing.
breaks_that_changed as (
    select
        approved.tenant_id,
        approved.override_id
    from approved
    inner join {{ ref('stg_tieout__breaks') }} as history
        on
            approved.tenant_id = history.tenant_id
            and approved.break_id = history.break_id
    inner join earlier_runs
        on history.run_id = earlier_runs.run_id
    where
        earlier_runs.as_of > approved.approved_at
        and (
            history.outcome <> 'break'
            or history.drift_cents <> approved.drift_cents
            or history.currency <> approved.currency
            or history.reason_code not in (approved.reason_code, 'SOURCE_INCOMPLETE')
        )
),

-- A lifted condition holds nothing; one that held was observed otherwise than it was lifted.
conditions_that_held as (
    select
        approved.tenant_id,
        approved.override_id
    from approved
    inner join {{ ref('stg_tieout__gate_evaluations') }} as history
        on
            approved.tenant_id = history.tenant_id
            and approved.payout_key = history.payout_key
            and ',' || history.held_codes || ',' like '%,' || approved.condition_code || ',%'
    inner join earlier_runs
        on history.run_id = earlier_runs.run_id
    where
        approved.break_id is null
        and earlier_runs.as_of > approved.approved_at
),

final as (
    select * from breaks_that_changed
    union distinct
    select * from conditions_that_held
)

select *
from final
