-- grain: one charge of a tenant in one currency that the kernel or the rail says was given back: what the kernel expects
with given_back as (
    select
        tenant_id,
        receipt_hash,
        {{ sum_cents('amount_cents') }} as adjusted_cents,
        max(created_at) as adjusted_at
    from {{ ref('stg_kernel__settlement_adjustments') }}
    where
        adjustment_kind = 'holdback_refund'
        and verdict <> 'mismatch'
    group by tenant_id, receipt_hash
),

-- Few charges are given back, by the kernel or by the rail, so only their receipts are looked at.
refunded as (
    select charge_id
    from {{ ref('int_movements_linked') }}
    where movement_type = 'refund'

    union distinct

    select charge_id
    from {{ ref('int_charge_sources') }}
    where refunded_amount_cents > 0

    union distinct

    select sources.charge_id
    from {{ ref('int_charge_sources') }} as sources
    inner join given_back
        on
            sources.tenant_id = given_back.tenant_id
            and sources.receipt_hash = given_back.receipt_hash
),

linked as (
    select distinct
        sources.tenant_id,
        sources.charge_id,
        sources.currency,
        sources.receipt_id,
        sources.receipt_hash,
        sources.refunded_amount_cents,
        sources.receipted_at
    from {{ ref('int_charge_sources') }} as sources
    inner join refunded
        on sources.charge_id = refunded.charge_id
    where sources.receipt_status <> 'locked'
),

summed as (
    select
        linked.tenant_id,
        linked.charge_id,
        linked.currency,
        min(linked.receipt_id) as receipt_id,
        min(linked.receipted_at) as receipted_at,
        max(coalesce(given_back.adjusted_at, linked.receipted_at)) as refundable_at,
        {{ sum_cents('linked.refunded_amount_cents + coalesce(given_back.adjusted_cents, 0)') }} as expected_cents
    from linked
    left join given_back
        on
            linked.tenant_id = given_back.tenant_id
            and linked.receipt_hash = given_back.receipt_hash
    group by linked.tenant_id, linked.charge_id, linked.currency
),

final as (
    select
        summed.tenant_id,
        summed.charge_id,
        summed.currency,
        summed.receipt_id,
        {{ period_of('summed.receipted_at') }} as period,
        summed.expected_cents,
        summed.refundable_at,
        {{ add_days('summed.refundable_at', 'run.collection_due_days') }} as expected_by
    from summed
    cross join {{ ref('stg_tieout__run') }} as run
)

select *
from final
