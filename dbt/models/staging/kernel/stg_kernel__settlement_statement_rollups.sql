-- grain: one party of a settlement statement
with
{{ first_landed('kernel', 'settlement_statement_rollups', key=['tenant_id', 'artifact_id', 'party_id'], parent='stg_kernel__settlement_statements') }},

final as (
    select
        tenant_id,
        artifact_id,
        party_id,
        party_role,
        fees_cents,
        payout_cents,
        credits_cents,
        net_cents,
        balance_delta_cents,
        received_at
    from original
)

select *
from final
