-- grain: one payout instruction: recovery and net amount, and what candidates before it use up
with ordered as (
    select
        *,
        case when is_candidate then gross_cents else 0 end as claiming_cents,
        case when policy_mode = 'net' then recoverable_cents else 0 end as netting_cents
    from {{ ref('int_gate_candidates') }}
),

-- A debt is recovered once: each candidate takes what the gross amounts before it left over.
claimed as (
    select
        *,
        {{ running_cents('claiming_cents', 'tenant_id, party_id, currency', 'payable_at asc nulls last, payout_key asc nulls last', preceding_only=true) }} as claimed_before_cents
    from ordered
),

left_over as (
    select
        *,
        case when netting_cents > claimed_before_cents then netting_cents - claimed_before_cents else 0 end as unrecovered_cents
    from claimed
),

netted as (
    select
        *,
        case when unrecovered_cents < gross_cents then unrecovered_cents else gross_cents end as recovery_cents
    from left_over
),

paying as (
    select
        *,
        gross_cents - recovery_cents as net_cents,
        case when is_candidate then gross_cents - recovery_cents else 0 end as paying_cents
    from netted
),

-- A candidate that a limit or the balance refuses still counts: nothing later may slip past it.
final as (
    select
        tenant_id,
        payout_key,
        provider_id,
        currency,
        is_candidate,
        payable_at,
        policy_mode,
        gross_cents,
        recovery_cents,
        net_cents,
        {{ running_cents('paying_cents', 'tenant_id, currency', 'payable_at asc nulls last, payout_key asc nulls last', preceding_only=true) }} as tenant_before_cents,
        {{ running_cents('paying_cents', 'currency', 'payable_at asc nulls last, payout_key asc nulls last, tenant_id asc nulls last', preceding_only=true) }} as platform_before_cents
    from paying
)

select *
from final
