-- grain: one general-ledger line
with
{{ first_landed('kernel', 'gl_lines', key=['tenant_id', 'artifact_id', 'line_id'], parent='stg_kernel__gl_batches') }},

final as (
    select
        tenant_id,
        artifact_id,
        period,
        line_id,
        entry_id as ledger_entry_id,
        posting_id,
        job_id,
        ledger_account_id,
        party_id,
        party_role,
        currency,
        amount_cents,
        original.at as posted_at,
        received_at
    from original
)

select *
from final
