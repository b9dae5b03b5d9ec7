-- grain: one ledger entry of a party statement
with
{{ first_landed('kernel', 'party_statement_entries', key=['tenant_id', 'artifact_id', 'entry_id'], parent='stg_kernel__party_statements') }},

final as (
    select
        tenant_id,
        artifact_id,
        party_id,
        period,
        entry_id as ledger_entry_id,
        received_at
    from original
)

select *
from final
