-- grain: one party of a settlement statement
with
{{ latest_landed('kernel', 'settlement_statement_rollups', key=['tenant_id', 'artifact_id', 'party_id']) }},

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
    from latest
)

select *
from final
