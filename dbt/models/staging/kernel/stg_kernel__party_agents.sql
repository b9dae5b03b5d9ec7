-- grain: one agent of a party over a time
with
{{ latest_landed('kernel', 'party_agents', key=['tenant_id', 'agent_id', 'party_id', 'valid_from']) }},

final as (
    select
        tenant_id,
        agent_id,
        party_id,
        valid_from,
        valid_to,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
