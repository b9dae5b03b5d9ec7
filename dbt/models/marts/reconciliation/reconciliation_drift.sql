-- grain: one break or pending item, and each that was resolved since the publication before
with aged as (
    select
        items.*,
        case
            when run.as_of < items.expected_by then 0
            else {{ days_between('items.expected_by', 'run.as_of') }}
        end as age_days
    from {{ ref('int_item_lifecycles') }} as items
    cross join {{ ref('stg_tieout__run') }} as run
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
        cast(case codes.severity
            when 'critical' then 1
            when 'high' then 2
            when 'medium' then 3
            else 4
        end as bigint) as priority,
        coalesce(triage.triage_status, 'open') as triage_status,
        coalesce(triage.owner, codes.owner) as owner,
        overrides.override_id,
        codes.meaning
        || '. Expected ' || {{ money_text('aged.expected_cents', 'currencies.minor_unit_exponent') }}
        || ', found ' || {{ money_text('aged.actual_cents', 'currencies.minor_unit_exponent') }}
        || ' ' || aged.currency || '. '
        || case
            when aged.lifecycle = 'resolved' then 'Resolved since the publication before'
            when not aged.is_found then 'Its source was not read again or no longer verifies, so it stays open'
            when aged.outcome = 'ok' then 'Written off by two people'
            else codes.suggested_action
        end
        || '.' as explanation
    from aged
    left join {{ ref('reason_codes') }} as codes
        on aged.reason_code = codes.reason_code
    left join {{ ref('gate_currencies') }} as currencies
        on aged.currency = currencies.currency
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
