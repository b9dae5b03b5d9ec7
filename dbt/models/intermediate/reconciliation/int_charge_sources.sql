-- grain: one verified receipt behind a charge, by the party its link names; of several receipts of one run only one
with linked as (
    select
        links.tenant_id,
        links.charge_id,
        links.currency,
        links.party_id,
        links.amount_cents,
        receipts.receipt_id,
        receipts.receipt_hash,
        receipts.receipt_status,
        case
            when runs.run_id is not null then runs.refunded_cents
            else receipts.refunded_amount_cents
        end as refunded_amount_cents,
        coalesce(receipts.settled_at, receipts.created_at) as receipted_at,
        receipts.run_id,
        runs.current_receipt_id,
        coalesce(runs.receipts_of_run, 1) as receipts_of_run
    from {{ ref('stg_kernel__charge_links') }} as links
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            links.tenant_id = receipts.tenant_id
            and links.source_id = receipts.receipt_id
    inner join {{ ref('int_verified_sources') }} as verified
        on
            links.tenant_id = verified.tenant_id
            and links.source_id = verified.source_id
            and verified.source_type = 'receipt'
    left join {{ ref('int_runs') }} as runs
        on
            receipts.tenant_id = runs.tenant_id
            and receipts.run_id = runs.run_id
            and runs.receipts_of_run > 1
    where
        links.source_type = 'receipt'
        and links.verdict <> 'mismatch'
),

-- Few runs have several receipts, so only theirs are ranked.
ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, charge_id, currency, party_id, run_id
            order by
                case when receipt_id = current_receipt_id then 0 else 1 end asc nulls last,
                receipt_id asc nulls last
        ) as receipt_rank
    from linked
    where receipts_of_run > 1
),

counting as (
    select
        *,
        1 as receipt_rank
    from linked
    where receipts_of_run = 1

    union all

    select *
    from ranked
    where receipt_rank = 1
),

final as (
    select
        tenant_id,
        charge_id,
        currency,
        party_id,
        amount_cents,
        receipt_id,
        receipt_hash,
        receipt_status,
        refunded_amount_cents,
        receipted_at
    from counting
)

select *
from final
