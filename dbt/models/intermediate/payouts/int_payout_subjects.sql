-- grain: one payout instruction with the request, operation, provider, month and profile that bear on it
with run as (
    select *
    from {{ ref('stg_tieout__run') }}
),

sole_providers as (
    select
        tenant_id,
        min(provider_id) as provider_id
    from {{ ref('stg_kernel__money_rail_providers') }}
    group by tenant_id
    having count(*) = 1
),

identified as (
    select
        instructions.*,
        requests.payout_key is not null as is_requested,
        requests.counterparty_ref as requested_ref,
        requests.tenant_id is null or {{ may_fund('requests') }} as requests_may_fund,
        coalesce(requests.provider_id, states.operation_provider_id, sole_providers.provider_id) as provider_id,
        coalesce(states.operation_id, 'mop_' || instructions.payout_key) as operation_id,
        states.is_paid,
        states.is_unresolved
    from {{ ref('int_payout_instructions') }} as instructions
    left join {{ ref('stg_kernel__payout_requests') }} as requests
        on
            instructions.tenant_id = requests.tenant_id
            and instructions.payout_key = requests.payout_key
    inner join {{ ref('int_payout_states') }} as states
        on
            instructions.tenant_id = states.tenant_id
            and instructions.payout_key = states.payout_key
    left join sole_providers
        on instructions.tenant_id = sole_providers.tenant_id
),

final as (
    select
        identified.*,
        providers.provider_id is not null as is_provider_known,
        providers.provider_mode,
        coalesce(providers.allow_payout, true) as is_payout_allowed,
        closes.close_status,
        closes.closed_at,
        coalesce(closes.close_status = 'CLOSED' and closes.closed_at <= run.as_of, false) as is_month_closed,
        profiles.payer,
        profiles.pay_from_period,
        coalesce(
            profiles.payer = 'tieout'
            and identified.period >= profiles.pay_from_period
            and {{ may_fund('profiles') }},
            false
        ) as is_ours_to_pay,
        -- What bears on the payout beside its sources; an absent one has a condition of its own.
        case when identified.may_fund then 0 else 1 end
        + case when identified.requests_may_fund then 0 else 1 end
        + case when providers.tenant_id is null or {{ may_fund('providers') }} then 0 else 1 end
        + case when closes.tenant_id is null or {{ may_fund('closes') }} then 0 else 1 end
        + case when profiles.tenant_id is null or {{ may_fund('profiles') }} then 0 else 1 end as unvouched_inputs,
        run.as_of,
        {{ add_minutes('run.as_of', 'run.decision_ttl_minutes') }} as expires_at
    from identified
    cross join run
    left join {{ ref('stg_kernel__money_rail_providers') }} as providers
        on
            identified.tenant_id = providers.tenant_id
            and identified.provider_id = providers.provider_id
    left join {{ ref('stg_kernel__month_closes') }} as closes
        on
            identified.tenant_id = closes.tenant_id
            and identified.period = closes.period
    left join {{ ref('stg_kernel__tenant_profiles') }} as profiles
        on identified.tenant_id = profiles.tenant_id
)

select *
from final
