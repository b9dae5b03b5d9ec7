-- grain: one kernel artifact and one reason not to rely on it, its own content's or a rule's between artifacts
{{ config(materialized='carried', carried_key=['tenant_id', 'artifact_type', 'artifact_id', 'rule']) }}
with contents as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        period,
        'content' as rule,
        coalesce(verdict_code, 'hash_mismatch') as code,
        expected,
        got
    from {{ ref('stg_kernel__artifact_verdicts') }}
    where verdict = 'mismatch'
),

-- The kernel's own names for a hash that lies, beside the general ones.
lying_hashes as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        period,
        case when artifact_type = 'settlement_receipts' then 'settlement_receipt' else 'decision_record' end
        || case when code = 'hash_mismatch' then '_hash_mismatch' else '_hash_invalid' end as code,
        expected,
        got
    from contents
    where
        artifact_type in ('settlement_receipts', 'settlement_decisions')
        and code in ('hash_mismatch', 'hash_missing', 'hash_malformed')
),

bindings as (
    select * from {{ ref('int_binding_settlements') }}
    union all
    select * from {{ ref('int_binding_decisions') }}
    union all
    select * from {{ ref('int_binding_receipts') }}
    union all
    select * from {{ ref('int_binding_holdbacks') }}
    union all
    select * from {{ ref('int_binding_instructions') }}
    union all
    select
        tenant_id,
        artifact_type,
        artifact_id,
        period,
        code,
        expected,
        got
    from lying_hashes
),

-- The kernel releases a holdback after its time without looking whether the run was refunded meanwhile.
released_after_refund as (
    select
        tenant_id,
        holdback_settlement_id as artifact_id,
        {{ period_of('holdback_resolved_at') }} as period,
        released_after_refund_cents
    from {{ ref('int_runs') }}
    where released_after_refund_cents > 0
),

final as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        period,
        rule,
        'mismatch' as verdict,
        code,
        expected,
        got
    from contents

    union all

    select
        tenant_id,
        artifact_type,
        artifact_id,
        period,
        code as rule,
        -- The kernel settles a holdback of an x402 run without decision and receipt, on purpose.
        case
            when
                artifact_type = 'agent_run_settlements'
                and right(artifact_id, 9) = '_holdback'
                and code in ('settlement_receipt_missing', 'decision_record_missing')
                then 'explained'
            else 'mismatch'
        end as verdict,
        code,
        expected,
        got
    from bindings

    union all

    select
        tenant_id,
        artifact_type,
        artifact_id,
        period,
        'identity' as rule,
        'conflict' as verdict,
        code,
        expected,
        got
    from {{ ref('int_artifact_conflicts') }}

    union all

    select
        tenant_id,
        'agent_run_settlements' as artifact_type,
        artifact_id,
        period,
        'holdback_released_after_refund' as rule,
        'mismatch' as verdict,
        'holdback_released_after_refund' as code,
        '0' as expected,
        cast(released_after_refund_cents as {{ dbt.type_string() }}) as got
    from released_after_refund
)

select *
from final
