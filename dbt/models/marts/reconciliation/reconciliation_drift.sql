-- grain: one break or pending item, and each break resolved since the run before
with run as (
    select *
    from {{ ref('stg_tieout__run') }}
),

open_items as (
    select
        items.*,
        run.as_of,
        coalesce(history.first_seen_at, run.as_of) as first_seen_at,
        case
            when history.break_id is null then 'new'
            when history.in_newest_earlier_run then 'persisting'
            else 'reopened'
        end as lifecycle
    from {{ ref('int_open_items') }} as items
    cross join run
    left join {{ ref('int_item_history') }} as history
        on items.break_id = history.break_id
),

aged as (
    select
        *,
        case when as_of < expected_by then 0 else {{ days_between('expected_by', 'as_of') }} end as age_days
    from open_items
),

final as (
    select
        aged.tenant_id,
        aged.break_id,
        aged.party_id,
        aged.period,
        aged.currency,
        aged.outcome,
        aged.reason_code,
        aged.expected_cents,
        aged.actual_cents,
        aged.expected_cents - aged.actual_cents as drift_cents,
        aged.kernel_object_id,
        aged.rail_object_id,
        aged.payout_key,
        aged.first_seen_at,
        aged.expected_by,
        cast(aged.age_days as bigint) as age_days,
        case
            when aged.age_days <= 1 then '0-1'
            when aged.age_days <= 7 then '2-7'
            when aged.age_days <= 30 then '8-30'
            else '31+'
        end as ageing_bucket,
        aged.lifecycle,
        cast(case aged.severity
            when 'critical' then 1
            when 'high' then 2
            when 'medium' then 3
            else 4
        end as bigint) as priority,
        coalesce(triage.triage_status, 'open') as triage_status,
        coalesce(triage.owner, codes.owner) as owner,
        overrides.override_id,
        codes.meaning
        || '. Expected ' || cast(aged.expected_cents as {{ dbt.type_string() }})
        || ', found ' || cast(aged.actual_cents as {{ dbt.type_string() }})
        || ' ' || aged.currency || ' minor units. '
        || codes.suggested_action || '.' as explanation
    from aged
    left join {{ ref('reason_codes') }} as codes
        on aged.reason_code = codes.reason_code
    left join {{ ref('int_triage') }} as triage
        on
            aged.tenant_id = triage.tenant_id
            and aged.break_id = triage.break_id
    left join {{ ref('int_break_overrides') }} as overrides
        on
            aged.tenant_id = overrides.tenant_id
            and aged.break_id = overrides.break_id
            and overrides.is_named
)

select *
from final
