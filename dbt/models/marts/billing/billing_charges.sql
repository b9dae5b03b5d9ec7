-- grain: one invoice line of a tenant, month and currency; a fee on volume is owed in the volume's currency
with priced as (
    select
        usage.tenant_id,
        usage.period,
        usage.currency,
        terms.plan,
        usage.verified_runs,
        usage.settled_volume_cents,
        usage.arbitration_cases,
        usage.run_events,
        usage.volume_events,
        usage.case_events,
        terms.subscription_cents,
        greatest(0, usage.verified_runs - terms.included_verified_runs) as overage_runs,
        terms.overage_millicents,
        terms.settled_volume_fee_bps,
        terms.arbitration_case_fee_cents
    from {{ ref('int_billing_usage') }} as usage
    inner join {{ ref('int_billing_terms') }} as terms
        on usage.tenant_id = terms.tenant_id
    where terms.is_plan_known
),

lines as (
    select
        priced.*,
        'SUBSCRIPTION_BASE' as line_code,
        1 as quantity,
        subscription_cents * 1000 as unit_millicents,
        cast(null as bigint) as unit_bps,
        subscription_cents as charged_cents,
        0 as source_event_count
    from priced
    where currency = 'USD'

    union all

    select
        priced.*,
        'VERIFIED_RUN_OVERAGE' as line_code,
        overage_runs as quantity,
        overage_millicents as unit_millicents,
        cast(null as bigint) as unit_bps,
        {{ int_div('overage_runs * overage_millicents + 500', '1000') }} as charged_cents,
        run_events as source_event_count
    from priced
    where currency = 'USD'

    union all

    select
        priced.*,
        'SETTLED_VOLUME_FEE' as line_code,
        settled_volume_cents as quantity,
        cast(null as bigint) as unit_millicents,
        settled_volume_fee_bps as unit_bps,
        {{ share_of('settled_volume_cents', 'settled_volume_fee_bps', '10000') }} as charged_cents,
        volume_events as source_event_count
    from priced

    union all

    select
        priced.*,
        'ARBITRATION_USAGE_FEE' as line_code,
        arbitration_cases as quantity,
        arbitration_case_fee_cents * 1000 as unit_millicents,
        cast(null as bigint) as unit_bps,
        arbitration_cases * arbitration_case_fee_cents as charged_cents,
        case_events as source_event_count
    from priced
    where currency = 'USD'
),

final as (
    select
        tenant_id,
        period,
        currency,
        line_code,
        plan,
        cast(quantity as bigint) as quantity,
        cast(unit_millicents as bigint) as unit_millicents,
        unit_bps,
        cast(charged_cents as bigint) as amount_cents,
        cast(source_event_count as bigint) as source_event_count
    from lines
)

select *
from final
