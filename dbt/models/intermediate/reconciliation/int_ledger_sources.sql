-- grain: one ledger entry behind a payout key, through its statement: what the entry owes the party
{{ config(materialized='carried', carried_key=['tenant_id', 'payout_key', 'ledger_entry_id']) }}
with statements as (
    select
        instructions.tenant_id,
        instructions.payout_key,
        statements.artifact_id as statement_artifact_id,
        statements.party_id,
        statements.payout_cents
    from {{ ref('stg_kernel__payout_instructions') }} as instructions
    inner join {{ ref('stg_kernel__party_statements') }} as statements
        on
            instructions.tenant_id = statements.tenant_id
            and instructions.statement_hash = statements.artifact_hash
    where statements.verdict <> 'mismatch'
),

entries as (
    select
        statements.tenant_id,
        statements.payout_key,
        statements.party_id,
        entries.ledger_entry_id
    from statements
    inner join {{ ref('stg_kernel__party_statement_entries') }} as entries
        on
            statements.tenant_id = entries.tenant_id
            and statements.statement_artifact_id = entries.artifact_id
),

payable_lines as (
    select
        tenant_id,
        ledger_entry_id,
        party_id,
        -{{ sum_cents('amount_cents') }} as owed_cents
    from {{ ref('stg_kernel__gl_lines') }}
    where ledger_account_id in ('acct_owner_payable', 'acct_operator_payable')
    group by tenant_id, ledger_entry_id, party_id
),

final as (
    select
        entries.tenant_id,
        entries.payout_key,
        entries.ledger_entry_id,
        -- Two instructions under one key are ambiguous, held elsewhere, and no reason to count an entry twice.
        min(coalesce(payable_lines.owed_cents, 0)) as owed_cents
    from entries
    left join payable_lines
        on
            entries.tenant_id = payable_lines.tenant_id
            and entries.ledger_entry_id = payable_lines.ledger_entry_id
            and entries.party_id = payable_lines.party_id
    group by entries.tenant_id, entries.payout_key, entries.ledger_entry_id
)

select *
from final
