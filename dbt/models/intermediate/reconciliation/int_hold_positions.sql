-- grain: one verified hold in its latest revision: whose it is, when its window ends, and what became of it
with holds as (
    select *
    from {{ ref('stg_kernel__funding_holds') }}
    where verdict <> 'mismatch'
),

-- An agent that belongs to two parties at once is neither's.
owners as (
    select
        holds.tenant_id,
        holds.hold_hash,
        min(agents.party_id) as party_id,
        count(case when not {{ may_fund('agents') }} then 1 end) as unvouched_agents
    from holds
    inner join {{ ref('stg_kernel__party_agents') }} as agents
        on
            holds.tenant_id = agents.tenant_id
            and holds.payee_agent_id = agents.agent_id
            and (agents.valid_from is null or agents.valid_from <= holds.created_at)
            and (agents.valid_to is null or agents.valid_to > holds.created_at)
    where agents.verdict <> 'mismatch'
    group by holds.tenant_id, holds.hold_hash
    having count(distinct agents.party_id) = 1
),

adjustments as (
    select
        tenant_id,
        hold_hash,
        max(case when adjustment_kind = 'holdback_release' then adjustment_id end) as release_adjustment_id,
        max(case when adjustment_kind = 'holdback_refund' then adjustment_id end) as refund_adjustment_id,
        max(created_at) as adjusted_at
    from {{ ref('stg_kernel__settlement_adjustments') }}
    where verdict <> 'mismatch'
    group by tenant_id, hold_hash
),

final as (
    select
        holds.tenant_id,
        holds.hold_hash,
        holds.receipt_hash,
        owners.party_id,
        {{ may_fund('holds') }} and coalesce(owners.unvouched_agents, 0) = 0 as may_fund,
        holds.currency,
        holds.held_amount_cents as hold_cents,
        holds.hold_status,
        holds.is_status_known,
        holds.created_at,
        {{ add_milliseconds('holds.created_at', 'holds.challenge_window_ms') }} as window_ends_at,
        case
            when holds.hold_status <> 'held' then coalesce(holds.resolved_at, adjustments.adjusted_at, holds.updated_at)
        end as resolved_at,
        case when holds.hold_status = 'held' then holds.held_amount_cents else 0 end as held_cents,
        case when holds.hold_status = 'released' then holds.held_amount_cents else 0 end as released_cents,
        case when holds.hold_status = 'refunded' then holds.held_amount_cents else 0 end as refunded_cents,
        adjustments.release_adjustment_id,
        adjustments.refund_adjustment_id
    from holds
    left join owners
        on
            holds.tenant_id = owners.tenant_id
            and holds.hold_hash = owners.hold_hash
    left join adjustments
        on
            holds.tenant_id = adjustments.tenant_id
            and holds.hold_hash = adjustments.hold_hash
)

select *
from final
