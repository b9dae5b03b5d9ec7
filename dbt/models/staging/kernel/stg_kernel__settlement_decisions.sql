-- grain: one settlement decision
{{ carry_landing('kernel', 'settlement_decisions', key=['tenant_id', 'decision_id']) }}
with
{{ first_landed('kernel', 'settlement_decisions', key=['tenant_id', 'decision_id']) }},

final as (
    select
        tenant_id,
        decision_id,
        run_id,
        settlement_id,
        agreement_id,
        decision_status,
        decision_mode,
        verification_status,
        schema_version,
        policy_normalization_version,
        policy_hash_used,
        profile_hash_used,
        verification_method_hash_used,
        decided_at,
        decision_hash,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from original
)

select *
from final
