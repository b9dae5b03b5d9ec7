-- grain: one kernel receipt and rule of the kernel that it breaks
with settlements_by_run as (
    select
        tenant_id,
        run_id,
        min(settlement_id) as settlement_id
    from {{ ref('stg_kernel__agent_run_settlements') }}
    group by tenant_id, run_id
),

decisions_by_hash as (
    select
        tenant_id,
        decision_hash,
        min(decision_id) as decision_id
    from {{ ref('stg_kernel__settlement_decisions') }}
    group by tenant_id, decision_hash
),

-- Settlements are no part of the kernel's bulk export: a tenant without any is not blamed for it.
exported as (
    select
        tenant_id,
        count(case when artifact_type = 'settlement_decisions' then 1 end) > 0 as has_decisions,
        count(case when artifact_type = 'agent_run_settlements' then 1 end) > 0 as has_settlements
    from {{ ref('int_binding_exporters') }}
    group by tenant_id
),

joined as (
    select
        receipts.*,
        {{ period_of('coalesce(receipts.settled_at, receipts.created_at)') }} as period,
        exported.has_decisions,
        exported.has_settlements,
        decisions.decision_id as found_decision_id,
        decisions.decision_hash as found_decision_hash,
        decisions.decided_at,
        by_hash.decision_id as named_decision_id,
        coalesce(settlements.settlement_id, by_run.settlement_id) as found_settlement_id,
        coalesce(settlements.run_id, decisions.run_id) as expected_run_id,
        coalesce(settlements.settlement_id, by_run.settlement_id, decisions.settlement_id) as expected_settlement_id
    from {{ ref('stg_kernel__settlement_receipts') }} as receipts
    left join exported
        on receipts.tenant_id = exported.tenant_id
    left join {{ ref('stg_kernel__settlement_decisions') }} as decisions
        on
            receipts.tenant_id = decisions.tenant_id
            and receipts.decision_id = decisions.decision_id
    left join decisions_by_hash as by_hash
        on
            receipts.tenant_id = by_hash.tenant_id
            and receipts.decision_hash = by_hash.decision_hash
    left join {{ ref('stg_kernel__agent_run_settlements') }} as settlements
        on
            receipts.tenant_id = settlements.tenant_id
            and receipts.settlement_id = settlements.settlement_id
    left join settlements_by_run as by_run
        on
            receipts.tenant_id = by_run.tenant_id
            and receipts.run_id = by_run.run_id
),

checked as (
    select
        *,
        decision_id is null or decision_hash is null as lacks_reference,
        has_decisions and decision_id is not null and found_decision_id is null and named_decision_id is null as lacks_decision,
        found_decision_id is null and named_decision_id is not null as is_wrong_id,
        found_decision_id is not null and {{ differs('decision_hash', 'found_decision_hash') }} as is_wrong_hash,
        expected_run_id is not null and {{ differs('run_id', 'expected_run_id') }} as is_of_another_run,
        expected_settlement_id is not null and {{ differs('settlement_id', 'expected_settlement_id') }} as is_of_another_settlement,
        has_settlements and found_settlement_id is null as lacks_settlement,
        coalesce(created_at < decided_at, false) as is_before_decision,
        coalesce(settled_at < decided_at, false) as is_settled_before_decision,
        coalesce(settled_at < created_at, false) as is_settled_before_created
    from joined
),

suspicious as (
    select *
    from checked
    where
        lacks_reference
        or lacks_decision
        or is_wrong_id
        or is_wrong_hash
        or is_of_another_run
        or is_of_another_settlement
        or lacks_settlement
        or created_at is null
        or settled_at_malformed
        or is_before_decision
        or is_settled_before_decision
        or is_settled_before_created
),

final as (
{{ broken_rules('suspicious', 'settlement_receipts', 'receipt_id', [
    ('settlement_missing', 'lacks_settlement', 'settlement_id', 'null'),
    ('decision_record_missing', 'lacks_decision', 'decision_id', 'null'),
    ('settlement_receipt_decision_ref_missing', 'lacks_reference', "'a decision and its hash'", 'decision_id'),
    ('settlement_receipt_decision_id_mismatch', 'is_wrong_id', 'named_decision_id', 'decision_id'),
    ('settlement_receipt_decision_hash_mismatch', 'is_wrong_hash', 'found_decision_hash', 'decision_hash'),
    ('settlement_receipt_run_id_mismatch', 'is_of_another_run', 'expected_run_id', 'run_id'),
    ('settlement_receipt_settlement_id_mismatch', 'is_of_another_settlement', 'expected_settlement_id', 'settlement_id'),
    ('settlement_receipt_created_at_invalid', 'created_at is null', "'a time'", 'null'),
    ('settlement_receipt_settled_at_invalid', 'settled_at_malformed', "'a time or null'", 'null'),
    ('settlement_receipt_before_decision', 'is_before_decision', 'decided_at', 'created_at'),
    ('settlement_receipt_settled_before_decision', 'is_settled_before_decision', 'decided_at', 'settled_at'),
    ('settlement_receipt_settled_before_created', 'is_settled_before_created', 'created_at', 'settled_at')
]) }}
)

select *
from final
