-- grain: one payout: whether it pays money that is still held, or that went back to the payer
with by_receipt as (
    select
        tenant_id,
        payout_key,
        receipt_hash,
        max(released_amount_cents) as released_cents,
        {{ sum_cents("case when source_type = 'receipt' then amount_cents end") }} as linked_cents,
        {{ sum_cents("case when source_type = 'holdback' and amount_cents < 0 then -amount_cents end") }} as withheld_cents,
        max(case when source_type = 'receipt' then 1 else 0 end) as has_receipt
    from {{ ref('int_gate_sources') }}
    where receipt_hash is not null
    group by tenant_id, payout_key, receipt_hash
),

held as (
    select
        tenant_id,
        receipt_hash,
        {{ sum_cents('held_amount_cents') }} as held_cents,
        max({{ add_milliseconds('created_at', 'challenge_window_ms') }}) as window_ends_at
    from {{ ref('stg_kernel__funding_holds') }}
    where hold_status = 'held'
    group by tenant_id, receipt_hash
),

-- A receipt is paid without its held part when the link or a holdback line leaves that part out.
unreleased as (
    select
        by_receipt.tenant_id,
        by_receipt.payout_key,
        count(*) as held_receipts,
        max(held.window_ends_at) as window_ends_at
    from by_receipt
    inner join held
        on
            by_receipt.tenant_id = held.tenant_id
            and by_receipt.receipt_hash = held.receipt_hash
    where
        by_receipt.has_receipt = 1
        and by_receipt.released_cents - by_receipt.linked_cents + by_receipt.withheld_cents < held.held_cents
    group by by_receipt.tenant_id, by_receipt.payout_key
),

-- Money of a hold that this payout adds back needs the hold's own status, however long ago the window ended.
added_back as (
    select
        sources.tenant_id,
        sources.payout_key,
        count(case when coalesce(holds.hold_status, 'held') = 'held' then 1 end) as open_holds,
        count(case
            when
                holds.hold_status = 'refunded'
                or sources.adjustment_kind = 'holdback_refund'
                or refunded.receipt_hash is not null
                then 1
        end) as refunded_holds,
        max(holds.resolved_at) as resolved_at
    from {{ ref('int_gate_sources') }} as sources
    left join {{ ref('stg_kernel__funding_holds') }} as holds
        on
            sources.tenant_id = holds.tenant_id
            and sources.hold_hash = holds.hold_hash
    left join {{ ref('int_refunded_receipts') }} as refunded
        on
            sources.tenant_id = refunded.tenant_id
            and sources.receipt_hash = refunded.receipt_hash
    where
        sources.source_type in ('adjustment', 'holdback')
        and sources.amount_cents > 0
    group by sources.tenant_id, sources.payout_key
),

final as (
    select
        subjects.tenant_id,
        subjects.payout_key,
        coalesce(unreleased.held_receipts, 0) + coalesce(added_back.open_holds, 0) as open_holds,
        coalesce(added_back.refunded_holds, 0) as refunded_holds,
        greatest(unreleased.window_ends_at, added_back.resolved_at) as released_at
    from {{ ref('int_payout_subjects') }} as subjects
    left join unreleased
        on
            subjects.tenant_id = unreleased.tenant_id
            and subjects.payout_key = unreleased.payout_key
    left join added_back
        on
            subjects.tenant_id = added_back.tenant_id
            and subjects.payout_key = added_back.payout_key
)

select *
from final
