-- grain: one settlement decision and rule of the kernel that it breaks
with settlements_by_run as (
    select
        tenant_id,
        run_id,
        min(settlement_id) as settlement_id
    from {{ ref('stg_kernel__agent_run_settlements') }}
    group by tenant_id, run_id
),

exporters as (
    select tenant_id
    from {{ ref('int_binding_exporters') }}
    where artifact_type = 'agent_run_settlements'
),

checked as (
    select
        decisions.*,
        {{ period_of('decisions.decided_at') }} as period,
        settlements.run_id as settlement_run_id,
        by_run.settlement_id as run_settlement_id,
        settlements.settlement_id is not null
        and {{ differs('settlements.run_id', 'decisions.run_id') }} as is_of_another_run,
        settlements.settlement_id is null
        and by_run.settlement_id is not null as is_of_another_settlement,
        exporters.tenant_id is not null
        and settlements.settlement_id is null
        and by_run.settlement_id is null as lacks_settlement,
        decisions.schema_version = 'SettlementDecisionRecord.v2' as is_v2
    from {{ ref('stg_kernel__settlement_decisions') }} as decisions
    left join exporters
        on decisions.tenant_id = exporters.tenant_id
    left join {{ ref('stg_kernel__agent_run_settlements') }} as settlements
        on
            decisions.tenant_id = settlements.tenant_id
            and decisions.settlement_id = settlements.settlement_id
    left join settlements_by_run as by_run
        on
            decisions.tenant_id = by_run.tenant_id
            and decisions.run_id = by_run.run_id
),

suspicious as (
    select *
    from checked
    where
        is_of_another_run
        or is_of_another_settlement
        or lacks_settlement
        or decided_at is null
        or (
            is_v2
            and not coalesce(
                {{ is_sha256('policy_hash_used') }}
                and policy_normalization_version = 'v1'
                and (profile_hash_used is null or {{ is_sha256('profile_hash_used') }})
                and (verification_method_hash_used is null or {{ is_sha256('verification_method_hash_used') }}),
                false
            )
        )
),

final as (
{{ broken_rules('suspicious', 'settlement_decisions', 'decision_id', [
    ('settlement_missing', 'lacks_settlement', 'settlement_id', 'null'),
    ('decision_record_run_id_mismatch', 'is_of_another_run', 'settlement_run_id', 'run_id'),
    ('decision_record_settlement_id_mismatch', 'is_of_another_settlement', 'run_settlement_id', 'settlement_id'),
    ('decision_record_decided_at_invalid', 'decided_at is null', "'a time'", 'null'),
    ('decision_record_policy_hash_used_missing', 'is_v2 and policy_hash_used is null', "'64 hex digits'", 'null'),
    ('decision_record_policy_hash_used_invalid', 'is_v2 and not ' ~ is_sha256('policy_hash_used'), "'64 hex digits'", 'policy_hash_used'),
    ('decision_record_profile_hash_used_invalid', 'is_v2 and not ' ~ is_sha256('profile_hash_used'), "'64 hex digits'", 'profile_hash_used'),
    ('decision_record_policy_normalization_version_invalid', "is_v2 and coalesce(policy_normalization_version, '') <> 'v1'", "'v1'", 'policy_normalization_version'),
    ('decision_record_verification_method_hash_used_invalid', 'is_v2 and not ' ~ is_sha256('verification_method_hash_used'), "'64 hex digits'", 'verification_method_hash_used')
]) }}
)

select *
from final
