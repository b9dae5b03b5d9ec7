-- grain: one receipt, adjustment or hold on which nothing casts doubt: only what is settled, stands and is vouched for may fund a payout
with doubtful as (
    select distinct
        tenant_id,
        -- A record around a receipt that does not verify taints the receipt.
        case artifact_type when 'x402_receipts' then 'settlement_receipts' else artifact_type end as artifact_type,
        artifact_id
    from {{ ref('int_artifact_faults') }}
    where
        verdict <> 'explained'
        and artifact_type in ('settlement_receipts', 'x402_receipts', 'settlement_adjustments', 'funding_holds')
),

sources as (
    select
        receipts.tenant_id,
        'receipt' as source_type,
        'settlement_receipts' as artifact_type,
        receipts.receipt_id as source_id,
        receipts.receipt_hash as source_hash,
        receipts.receipt_status <> 'locked' as is_settled,
        -- An earlier receipt of a run that was refunded since is history: nothing is owed on it.
        coalesce(runs.receipt_status <> 'refunded' or runs.current_receipt_id = receipts.receipt_id, true) as is_standing,
        {{ may_fund('receipts') }} as may_fund
    from {{ ref('stg_kernel__settlement_receipts') }} as receipts
    left join {{ ref('int_runs') }} as runs
        on
            receipts.tenant_id = runs.tenant_id
            and receipts.run_id = runs.run_id
            and runs.receipts_of_run > 1
    where receipts.verdict <> 'mismatch'

    union all

    select
        tenant_id,
        'adjustment' as source_type,
        'settlement_adjustments' as artifact_type,
        adjustment_id as source_id,
        adjustment_hash as source_hash,
        true as is_settled,
        true as is_standing,
        {{ may_fund('adjustments') }} as may_fund
    from {{ ref('stg_kernel__settlement_adjustments') }} as adjustments
    where verdict <> 'mismatch'

    union all

    select
        tenant_id,
        'holdback' as source_type,
        'funding_holds' as artifact_type,
        hold_hash as source_id,
        hold_hash as source_hash,
        true as is_settled,
        true as is_standing,
        {{ may_fund('holds') }} as may_fund
    from {{ ref('stg_kernel__funding_holds') }} as holds
    where verdict <> 'mismatch'
),

final as (
    select
        sources.tenant_id,
        sources.source_type,
        sources.source_id,
        sources.source_hash,
        sources.is_settled,
        sources.is_standing,
        sources.may_fund
    from sources
    left join doubtful
        on
            sources.tenant_id = doubtful.tenant_id
            and sources.artifact_type = doubtful.artifact_type
            and sources.source_id = doubtful.artifact_id
    where doubtful.artifact_id is null
)

select *
from final
