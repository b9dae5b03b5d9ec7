-- grain: one party of a tenant in one currency: money held back from it that could cover a debt
with holds as (
    select
        tenant_id,
        hold_hash,
        payee_agent_id,
        held_amount_cents,
        currency,
        created_at
    from {{ ref('stg_kernel__funding_holds') }}
    where
        hold_status = 'held'
        and verdict <> 'mismatch'
),

-- An agent that belongs to two parties at once covers neither.
owners as (
    select
        holds.tenant_id,
        holds.hold_hash,
        min(agents.party_id) as party_id
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

final as (
    select
        holds.tenant_id,
        owners.party_id,
        holds.currency,
        {{ sum_cents('holds.held_amount_cents') }} as holdback_cents
    from holds
    inner join owners
        on
            holds.tenant_id = owners.tenant_id
            and holds.hold_hash = owners.hold_hash
    group by holds.tenant_id, owners.party_id, holds.currency
)

select *
from final
