-- grain: one payout instruction
{{ carry_landing('kernel', 'payout_instructions', key=['tenant_id', 'artifact_id']) }}
with
{{ first_landed('kernel', 'payout_instructions', key=['tenant_id', 'artifact_id']) }},

final as (
    select
        tenant_id,
        artifact_id,
        party_id,
        party_role,
        period,
        payout_key,
        amount_cents,
        currency,
        destination_ref,
        statement_hash,
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
