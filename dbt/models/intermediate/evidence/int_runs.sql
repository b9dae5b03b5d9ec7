-- grain: one run of the kernel: its one receipt that counts, and what its payee and payer are left with
{{ config(
    materialized='carried',
    carried_key=['tenant_id', 'run_id'],
    touched_by="""
        select tenant_id, run_id from changed.stg_kernel__settlement_receipts
        union all
        -- A holdback is named after its own run.
        select settlements.tenant_id, names.run_id
        from changed.stg_kernel__agent_run_settlements as settlements
        cross join lateral (
            select settlements.run_id
            union all
            select left(settlements.run_id, length(settlements.run_id) - 9)
        ) as names
    """,
    narrowed={'stg_kernel__settlement_receipts': ['tenant_id', 'run_id']},
) }}
with settlements as (
    select
        tenant_id,
        run_id,
        max(current_receipt_id) as current_receipt_id
    from {{ ref('stg_kernel__agent_run_settlements') }}
    group by tenant_id, run_id
),

-- Few runs have several receipts, so only theirs are ranked.
{{ repeated_hashes(ref('stg_kernel__settlement_receipts'), ['tenant_id', 'run_id'], "run_id is not null and verdict <> 'mismatch'") }},

single as (
    select
        receipts.*,
        1 as receipts_of_run,
        1 as receipt_rank
    from {{ ref('stg_kernel__settlement_receipts') }} as receipts
    left join repeated_hashes
        on {{ key_hash(['tenant_id', 'run_id'], 'receipts') }} = repeated_hashes.key_hash
    where
        receipts.run_id is not null
        and receipts.verdict <> 'mismatch'
        and repeated_hashes.key_hash is null
),

-- The kernel's own pointer decides. Without it the latest does, and where times tie a refund came after what it
-- refunds.
several as (
    select
        receipts.*,
        count(*) over (partition by receipts.tenant_id, receipts.run_id) as receipts_of_run,
        row_number() over (
            partition by receipts.tenant_id, receipts.run_id
            order by
                case when receipts.receipt_id = settlements.current_receipt_id then 0 else 1 end asc nulls last,
                coalesce(receipts.settled_at, receipts.created_at) desc nulls last,
                receipts.created_at desc nulls last,
                case receipts.receipt_status when 'refunded' then 0 when 'released' then 1 else 2 end asc nulls last,
                receipts.receipt_id desc nulls last
        ) as receipt_rank
    from {{ ref('stg_kernel__settlement_receipts') }} as receipts
    inner join repeated_hashes
        on {{ key_hash(['tenant_id', 'run_id'], 'receipts') }} = repeated_hashes.key_hash
    left join settlements
        on
            receipts.tenant_id = settlements.tenant_id
            and receipts.run_id = settlements.run_id
    where
        receipts.run_id is not null
        and receipts.verdict <> 'mismatch'
),

ranked as (
    select * from single
    union all
    select * from several
),

-- What an x402 run keeps back is a second settlement without a receipt, named after the run.
holdbacks as (
    select
        tenant_id,
        left(run_id, length(run_id) - 9) as run_id,
        max(settlement_id) as settlement_id,
        max(settlement_status) as holdback_status,
        {{ sum_cents('amount_cents') }} as holdback_cents,
        {{ sum_cents("case when settlement_status = 'released' then released_amount_cents else 0 end") }} as released_cents,
        {{ sum_cents("case when settlement_status = 'refunded' then amount_cents else 0 end") }} as refunded_cents,
        max(resolved_at) as resolved_at
    from {{ ref('stg_kernel__agent_run_settlements') }}
    where right(run_id, 9) = '_holdback'
    group by tenant_id, left(run_id, length(run_id) - 9)
),

final as (
    select
        ranked.tenant_id,
        ranked.run_id,
        ranked.receipt_id as current_receipt_id,
        ranked.receipt_status,
        ranked.receipts_of_run,
        ranked.currency,
        ranked.amount_cents,
        ranked.settled_at,
        case when ranked.receipt_status = 'locked' then ranked.amount_cents else 0 end as locked_cents,
        case
            when ranked.receipt_status = 'locked' then 0
            else ranked.released_amount_cents + coalesce(holdbacks.released_cents, 0)
        end as entitled_cents,
        case
            when ranked.receipt_status = 'locked' then 0
            else coalesce(holdbacks.holdback_cents - holdbacks.released_cents - holdbacks.refunded_cents, 0)
        end as held_cents,
        case
            when ranked.receipt_status = 'locked' then 0
            else
                ranked.amount_cents - ranked.released_amount_cents
                - coalesce(holdbacks.holdback_cents - holdbacks.refunded_cents, 0)
        end as refunded_cents,
        case
            when ranked.receipt_status = 'refunded' then coalesce(holdbacks.released_cents, 0)
            else 0
        end as released_after_refund_cents,
        holdbacks.settlement_id as holdback_settlement_id,
        holdbacks.holdback_status,
        holdbacks.resolved_at as holdback_resolved_at
    from ranked
    left join holdbacks
        on
            ranked.tenant_id = holdbacks.tenant_id
            and ranked.run_id = holdbacks.run_id
    where ranked.receipt_rank = 1
)

select *
from final
