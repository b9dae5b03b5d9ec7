-- grain: one payout key of a tenant: what the kernel instructs, net of what it recovers
{{ config(materialized='carried', carried_key=['tenant_id', 'payout_key']) }}
with instructions as (
    select
        tenant_id,
        payout_key,
        min(party_id) as party_id,
        min(period) as period,
        min(currency) as currency,
        max(amount_cents) as gross_cents,
        min(generated_at) as generated_at,
        min(statement_hash) as statement_hash,
        min(artifact_id) as artifact_id,
        count(*) as instructions
    from {{ ref('stg_kernel__payout_instructions') }}
    where
        verdict <> 'mismatch'
        and amount_cents > 0
    group by tenant_id, payout_key
),

operations as (
    select
        tenant_id,
        payout_key,
        min(operation_id) as operation_id,
        max(case
            when operation_state not in ('failed', 'cancelled') then chargeback_recovery_applied_cents
        end) as recovery_cents,
        max(case when operation_state = 'reversed' then 1 else 0 end) = 1 as is_reversed,
        min(case when operation_state in ('failed', 'cancelled') then 1 else 0 end) = 1 as is_dead,
        max(case when direction = 'collection' then 1 else 0 end) = 1 as is_collection,
        min(stripe_connect_account_id) as destination_account_id
    from {{ ref('stg_kernel__money_rail_operations') }}
    group by tenant_id, payout_key
),

journalled as (
    select
        tenant_id,
        payout_key,
        max(recovery_cents) as recovery_cents
    from {{ ref('stg_tieout__payout_journal') }}
    where submission_state = 'submitted'
    group by tenant_id, payout_key
),

party_accounts as (
    select
        tenant_id,
        party_id,
        min(account_id) as account_id
    from {{ ref('stg_kernel__connect_accounts') }}
    where connect_status = 'active'
    group by tenant_id, party_id
    having count(*) = 1
),

requests as (
    select
        tenant_id,
        payout_key,
        max(requested_at) as requested_at
    from {{ ref('stg_kernel__payout_requests') }}
    group by tenant_id, payout_key
),

joined as (
    select
        instructions.*,
        operations.operation_id,
        coalesce(operations.is_reversed, false) as operation_reversed,
        coalesce(operations.is_dead, false) as operation_dead,
        coalesce(operations.is_collection, false) as operation_collects,
        -- An operation that says no recovery may have been paid net all the same: the journal knows.
        -- Nobody recovers more of a payout than there is of it.
        least(
            instructions.gross_cents,
            greatest(coalesce(operations.recovery_cents, 0), coalesce(journalled.recovery_cents, 0))
        ) as recovery_cents,
        coalesce(party_accounts.account_id, operations.destination_account_id) as destination_account_id,
        case
            when requests.requested_at > instructions.generated_at then requests.requested_at
            else instructions.generated_at
        end as instructed_at,
        row_number() over (
            partition by instructions.tenant_id, instructions.party_id, instructions.period, instructions.currency
            order by
                case when operations.operation_id is null then 1 else 0 end asc nulls last,
                instructions.generated_at asc nulls last,
                instructions.payout_key asc nulls last
        ) as instruction_rank
    from instructions
    left join operations
        on
            instructions.tenant_id = operations.tenant_id
            and instructions.payout_key = operations.payout_key
    left join journalled
        on
            instructions.tenant_id = journalled.tenant_id
            and instructions.payout_key = journalled.payout_key
    left join party_accounts
        on
            instructions.tenant_id = party_accounts.tenant_id
            and instructions.party_id = party_accounts.party_id
    left join requests
        on
            instructions.tenant_id = requests.tenant_id
            and instructions.payout_key = requests.payout_key
),

final as (
    select
        joined.tenant_id,
        joined.payout_key,
        joined.party_id,
        joined.period,
        joined.currency,
        joined.gross_cents,
        joined.recovery_cents,
        joined.gross_cents - joined.recovery_cents as expected_cents,
        joined.generated_at,
        joined.instructed_at,
        {{ add_days('joined.instructed_at', 'run.payout_due_days') }} as expected_by,
        {{ add_days('joined.instructed_at', 'run.late_settlement_days') }} as late_after,
        joined.statement_hash,
        joined.artifact_id,
        joined.instructions,
        coalesce(own_rules.tolerance_cents, any_rule.tolerance_cents) as tolerance_cents,
        coalesce(own_rules.nearest_cents, any_rule.nearest_cents) as nearest_cents,
        coalesce(own_rules.window_days, any_rule.window_days) as window_days,
        joined.instruction_rank,
        joined.operation_id,
        joined.operation_reversed,
        joined.operation_dead,
        joined.operation_collects,
        joined.destination_account_id
    from joined
    cross join {{ ref('stg_tieout__run') }} as run
    left join {{ ref('match_rules') }} as own_rules
        on joined.currency = own_rules.currency
    left join {{ ref('match_rules') }} as any_rule
        on any_rule.currency = '*'
)

select *
from final
