-- grain: one settlement and rule of the kernel that it breaks; only resolved settlements and holdbacks are judged
with decided as (
    select
        tenant_id,
        settlement_id,
        run_id,
        1 as is_decision
    from {{ ref('stg_kernel__settlement_decisions') }}
),

receipted as (
    select
        tenant_id,
        settlement_id,
        run_id,
        0 as is_decision
    from {{ ref('stg_kernel__settlement_receipts') }}
),

parts as (
    select * from decided
    union all
    select * from receipted
),

named as (
    select
        tenant_id,
        settlement_id,
        min(run_id) as first_run_id,
        max(run_id) as last_run_id,
        max(is_decision) as decisions,
        max(1 - is_decision) as receipts
    from parts
    group by tenant_id, settlement_id
),

-- What a tenant never exports proves nothing by its absence.
exported as (
    select
        exporters.tenant_id,
        count(case when exporters.artifact_type = 'settlement_decisions' then 1 end) > 0 as has_decisions,
        count(case when exporters.artifact_type = 'settlement_receipts' then 1 end) > 0 as has_receipts
    from {{ ref('int_binding_exporters') }} as exporters
    group by exporters.tenant_id
),

checked as (
    select
        settlements.tenant_id,
        settlements.settlement_id,
        settlements.run_id,
        {{ period_of('coalesce(settlements.resolved_at, settlements.created_at)') }} as period,
        exported.has_receipts and coalesce(named.receipts, 0) = 0 as lacks_receipt,
        exported.has_decisions and coalesce(named.decisions, 0) = 0 as lacks_decision,
        named.first_run_id as named_run_id,
        named.settlement_id is not null
        and {{ differs('settlements.run_id', 'named.first_run_id') }}
        and {{ differs('settlements.run_id', 'named.last_run_id') }} as is_of_another_run,
        settlements.settlement_status in ('released', 'refunded')
        and settlements.released_amount_cents + settlements.refunded_amount_cents <> settlements.amount_cents as is_not_whole,
        settlements.amount_cents,
        settlements.released_amount_cents + settlements.refunded_amount_cents as resolved_cents
    from {{ ref('stg_kernel__agent_run_settlements') }} as settlements
    left join exported
        on settlements.tenant_id = exported.tenant_id
    left join named
        on
            settlements.tenant_id = named.tenant_id
            and settlements.settlement_id = named.settlement_id
    where
        settlements.settlement_status in ('released', 'refunded')
        or right(settlements.run_id, 9) = '_holdback'
),

suspicious as (
    select *
    from checked
    where coalesce(lacks_receipt or lacks_decision or is_of_another_run or is_not_whole, true)
),

final as (
{{ broken_rules('suspicious', 'agent_run_settlements', 'settlement_id', [
    ('settlement_receipt_missing', 'lacks_receipt', 'settlement_id', 'null'),
    ('decision_record_missing', 'lacks_decision', 'settlement_id', 'null'),
    ('settlement_run_id_mismatch', 'is_of_another_run', 'named_run_id', 'run_id'),
    ('settlement_amounts_not_whole', 'is_not_whole', 'amount_cents', 'resolved_cents')
]) }}
)

select *
from final
