-- grain: one ledger entry of a settlement statement
with
{{ latest_landed('kernel', 'settlement_statement_entries', key=['tenant_id', 'artifact_id', 'ledger_entry_id']) }},

final as (
    select
        tenant_id,
        artifact_id,
        ledger_entry_id,
        received_at
    from latest
)

select *
from final
