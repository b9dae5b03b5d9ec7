-- grain: one ledger account of a party statement
with
{{ first_landed('kernel', 'party_statement_totals', key=['tenant_id', 'artifact_id', 'ledger_account_id'], parent='stg_kernel__party_statements') }},

final as (
    select
        tenant_id,
        artifact_id,
        party_id,
        period,
        ledger_account_id,
        amount_cents,
        received_at
    from original
)

select *
from final
