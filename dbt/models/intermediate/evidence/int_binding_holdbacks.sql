-- grain: one holdback, adjustment or dispute and rule between them that it breaks
with receipts as (
    select
        tenant_id,
        receipt_hash,
        min(currency) as currency
    from {{ ref('stg_kernel__settlement_receipts') }}
    group by tenant_id, receipt_hash
),

exported as (
    select
        tenant_id,
        count(case when artifact_type = 'settlement_receipts' then 1 end) > 0 as has_receipts,
        count(case when artifact_type = 'funding_holds' then 1 end) > 0 as has_holds,
        count(case when artifact_type = 'arbitration_verdicts' then 1 end) > 0 as has_verdicts
    from {{ ref('int_binding_exporters') }}
    group by tenant_id
),

verdicts_by_case as (
    select
        tenant_id,
        case_id,
        min(verdict_hash) as verdict_hash
    from {{ ref('stg_kernel__arbitration_verdicts') }}
    group by tenant_id, case_id
),

holds as (
    select
        holds.*,
        {{ period_of('holds.created_at') }} as period,
        exported.has_receipts and receipts.receipt_hash is null as lacks_receipt,
        receipts.currency as receipt_currency
    from {{ ref('stg_kernel__funding_holds') }} as holds
    left join exported
        on holds.tenant_id = exported.tenant_id
    left join receipts
        on
            holds.tenant_id = receipts.tenant_id
            and holds.receipt_hash = receipts.receipt_hash
),

adjustments as (
    select
        adjustments.*,
        {{ period_of('adjustments.created_at') }} as period,
        exported.has_holds and holds.hold_hash is null as lacks_hold,
        exported.has_verdicts and adjustments.verdict_case_id is not null and by_case.case_id is null as lacks_verdict,
        by_case.case_id is not null and verdicts.verdict_hash is null as is_wrong_verdict,
        by_case.verdict_hash as case_verdict_hash,
        holds.receipt_hash as hold_receipt_hash,
        holds.agreement_hash as hold_agreement_hash,
        holds.held_amount_cents,
        holds.currency as hold_currency,
        holds.hold_status,
        verdicts.verdict as verdict_verdict,
        verdicts.release_rate_pct
    from {{ ref('stg_kernel__settlement_adjustments') }} as adjustments
    left join exported
        on adjustments.tenant_id = exported.tenant_id
    left join {{ ref('stg_kernel__funding_holds') }} as holds
        on
            adjustments.tenant_id = holds.tenant_id
            and adjustments.hold_hash = holds.hold_hash
    left join verdicts_by_case as by_case
        on
            adjustments.tenant_id = by_case.tenant_id
            and adjustments.verdict_case_id = by_case.case_id
    left join {{ ref('stg_kernel__arbitration_verdicts') }} as verdicts
        on
            adjustments.tenant_id = verdicts.tenant_id
            and adjustments.verdict_case_id = verdicts.case_id
            and adjustments.verdict_hash = verdicts.verdict_hash
),

disputes as (
    select
        envelopes.*,
        {{ period_of('envelopes.opened_at') }} as period,
        exported.has_holds and holds.hold_hash is null as lacks_hold,
        holds.receipt_hash as hold_receipt_hash
    from {{ ref('stg_kernel__dispute_envelopes') }} as envelopes
    left join exported
        on envelopes.tenant_id = exported.tenant_id
    left join {{ ref('stg_kernel__funding_holds') }} as holds
        on
            envelopes.tenant_id = holds.tenant_id
            and envelopes.hold_hash = holds.hold_hash
),

of_holds as (
{{ broken_rules('holds', 'funding_holds', 'hold_hash', [
    ('hold_receipt_missing', 'lacks_receipt', 'receipt_hash', 'null'),
    ('hold_currency_mismatch', 'receipt_currency <> currency', 'receipt_currency', 'currency'),
    ('hold_amount_exceeded', 'held_amount_cents > amount_cents', 'amount_cents', 'held_amount_cents')
]) }}
),

of_adjustments as (
{{ broken_rules('adjustments', 'settlement_adjustments', 'adjustment_id', [
    ('adjustment_hold_missing', 'lacks_hold', 'hold_hash', 'null'),
    ('adjustment_receipt_mismatch', 'hold_receipt_hash <> receipt_hash', 'hold_receipt_hash', 'receipt_hash'),
    ('adjustment_agreement_mismatch', 'hold_agreement_hash <> agreement_hash', 'hold_agreement_hash', 'agreement_hash'),
    ('adjustment_amount_mismatch', 'held_amount_cents <> amount_cents', 'held_amount_cents', 'amount_cents'),
    ('adjustment_currency_mismatch', 'hold_currency <> currency', 'hold_currency', 'currency'),
    ('adjustment_hold_status_mismatch', "(adjustment_kind = 'holdback_release' and hold_status = 'refunded') or (adjustment_kind = 'holdback_refund' and hold_status = 'released')", 'adjustment_kind', 'hold_status'),
    ('adjustment_verdict_missing', 'lacks_verdict', 'verdict_hash', 'null'),
    ('adjustment_verdict_hash_mismatch', 'is_wrong_verdict', 'case_verdict_hash', 'verdict_hash'),
    ('adjustment_verdict_unverified', "verdict_verdict = 'mismatch'", "'verified'", 'verdict_verdict'),
    ('adjustment_verdict_kind_mismatch', "(adjustment_kind = 'holdback_release' and release_rate_pct <> 100) or (adjustment_kind = 'holdback_refund' and release_rate_pct <> 0)", 'release_rate_pct', 'adjustment_kind')
]) }}
),

of_disputes as (
{{ broken_rules('disputes', 'dispute_envelopes', 'envelope_id', [
    ('dispute_hold_missing', 'lacks_hold', 'hold_hash', 'null'),
    ('dispute_receipt_mismatch', 'hold_receipt_hash <> receipt_hash', 'hold_receipt_hash', 'receipt_hash')
]) }}
),

final as (
    select * from of_holds
    union all
    select * from of_adjustments
    union all
    select * from of_disputes
)

select *
from final
