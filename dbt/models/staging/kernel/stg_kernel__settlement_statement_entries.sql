-- grain: one ledger entry of a settlement statement
with
{{ first_landed('kernel', 'settlement_statement_entries', key=['tenant_id', 'artifact_id', 'ledger_entry_id'], parent='stg_kernel__settlement_statements') }},

final as (
    select
        tenant_id,
        artifact_id,
        ledger_entry_id,
        received_at
    from original
)

select *
from final
