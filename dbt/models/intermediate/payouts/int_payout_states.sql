-- grain: one payout instruction: what kernel, journal and rail say about its payment
with final as (
    select
        instructions.tenant_id,
        instructions.payout_key,
        instructions.party_id,
        instructions.period,
        instructions.currency,
        instructions.generated_at,
        operations.provider_id as operation_provider_id,
        operations.operation_id,
        operations.operation_state,
        operations.counterparty_ref as operation_ref,
        operations.stripe_connect_account_id as operation_account_id,
        journal.submission_state,
        rail.transfer_id,
        coalesce(operations.is_terminal, false) as is_operation_terminal,
        coalesce(journal.is_unresolved, false) as is_unresolved,
        coalesce(operations.is_paid, false)
        or coalesce(journal.is_submitted, false)
        or coalesce(rail.transfers, 0) > 0 as is_paid,
        coalesce(operations.is_paid or operations.is_initiated, false)
        or coalesce(journal.is_bound, false)
        or coalesce(rail.transferred_cents > rail.reversed_cents, false) as is_committed
    from {{ ref('int_payout_instructions') }} as instructions
    left join {{ ref('int_payout_operations') }} as operations
        on
            instructions.tenant_id = operations.tenant_id
            and instructions.payout_key = operations.payout_key
    left join {{ ref('int_payout_journal') }} as journal
        on
            instructions.tenant_id = journal.tenant_id
            and instructions.payout_key = journal.payout_key
    left join {{ ref('int_payout_rail_payments') }} as rail
        on
            instructions.tenant_id = rail.tenant_id
            and instructions.payout_key = rail.payout_key
)

select *
from final
