-- grain: one party statement of a month
{{ carry_landing('kernel', 'party_statements', key=['tenant_id', 'artifact_id']) }}
with
{{ first_landed('kernel', 'party_statements', key=['tenant_id', 'artifact_id']) }},

final as (
    select
        tenant_id,
        artifact_id,
        party_id,
        party_role,
        period,
        basis,
        currency,
        payout_cents,
        fees_cents,
        credits_cents,
        net_cents,
        balance_delta_cents,
        allocation_count,
        source_event_id,
        generated_at,
        artifact_hash,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from original
)

select *
from final
