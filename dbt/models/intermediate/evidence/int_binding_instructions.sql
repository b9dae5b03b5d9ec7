-- grain: one payout instruction and rule between it and its statement that it breaks
with exporters as (
    select tenant_id
    from {{ ref('int_binding_exporters') }}
    where artifact_type = 'party_statements'
),

-- Statements with one hash are one statement; the one that verifies counts.
statements as (
    select
        tenant_id,
        artifact_hash,
        min(party_id) as party_id,
        min(period) as period,
        min(currency) as currency,
        min(payout_cents) as payout_cents
    from {{ ref('stg_kernel__party_statements') }}
    where verdict <> 'mismatch'
    group by tenant_id, artifact_hash
),

checked as (
    select
        instructions.*,
        exporters.tenant_id is not null and statements.artifact_hash is null as lacks_statement,
        statements.party_id as statement_party_id,
        statements.period as statement_period,
        statements.currency as statement_currency,
        statements.payout_cents as statement_payout_cents,
        instructions.tenant_id || ':party:' || instructions.party_id
        || ':period:' || instructions.period || ':statement:' || instructions.statement_hash as expected_key
    from {{ ref('stg_kernel__payout_instructions') }} as instructions
    left join exporters
        on instructions.tenant_id = exporters.tenant_id
    left join statements
        on
            instructions.tenant_id = statements.tenant_id
            and instructions.statement_hash = statements.artifact_hash
),

final as (
{{ broken_rules('checked', 'payout_instructions', 'artifact_id', [
    ('instruction_statement_missing', 'lacks_statement', 'statement_hash', 'null'),
    ('instruction_party_mismatch', 'statement_party_id <> party_id', 'statement_party_id', 'party_id'),
    ('instruction_period_mismatch', 'statement_period <> period', 'statement_period', 'period'),
    ('instruction_currency_mismatch', 'statement_currency <> currency', 'statement_currency', 'currency'),
    ('instruction_amount_mismatch', 'statement_payout_cents <> amount_cents', 'statement_payout_cents', 'amount_cents'),
    ('instruction_key_mismatch', 'expected_key <> payout_key', 'expected_key', 'payout_key')
]) }}
)

select *
from final
