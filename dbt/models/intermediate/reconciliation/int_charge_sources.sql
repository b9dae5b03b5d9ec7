-- grain: one verified receipt behind a charge, by the party its link names; of several receipts of one run only one
{{ config(
    materialized='carried',
    carried_key=['tenant_id', 'charge_id'],
    touched_by="""
        select tenant_id, charge_id from changed.stg_kernel__charge_links
        union all
        select links.tenant_id, links.charge_id
        from carried.staging.stg_kernel__charge_links as links
        where
            hash(links.tenant_id, links.source_id) in (
                select hash(tenant_id, receipt_id) from changed.stg_kernel__settlement_receipts
                union all
                select hash(tenant_id, artifact_id) from changed.int_artifact_faults
                union all
                select hash(receipts.tenant_id, receipts.receipt_id)
                from carried.staging.stg_kernel__settlement_receipts as receipts
                where
                    hash(receipts.tenant_id, receipts.run_id) in (
                        select hash(tenant_id, run_id) from changed.int_runs
                    )
            )
    """,
    narrowed={'stg_kernel__charge_links': ['tenant_id', 'charge_id']},
) }}
-- Few runs have several receipts, so only theirs are ranked.
with several as (
    select
        links.tenant_id,
        links.charge_id,
        links.party_id,
        receipts.receipt_id,
        row_number() over (
            partition by links.tenant_id, links.charge_id, links.currency, links.party_id, receipts.run_id
            order by
                case when receipts.receipt_id = runs.current_receipt_id then 0 else 1 end asc nulls last,
                receipts.receipt_id asc nulls last
        ) as receipt_rank
    from {{ ref('int_runs') }} as runs
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            runs.tenant_id = receipts.tenant_id
            and runs.run_id = receipts.run_id
    inner join {{ ref('stg_kernel__charge_links') }} as links
        on
            receipts.tenant_id = links.tenant_id
            and receipts.receipt_id = links.source_id
            and links.source_type = 'receipt'
            and links.verdict <> 'mismatch'
    inner join {{ ref('int_verified_sources') }} as verified
        on
            links.tenant_id = verified.tenant_id
            and links.source_id = verified.source_id
            and verified.source_type = 'receipt'
    where runs.receipts_of_run > 1
),

final as (
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
        coalesce(receipts.settled_at, receipts.created_at) as receipted_at
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
    left join several
        on
            links.tenant_id = several.tenant_id
            and links.charge_id = several.charge_id
            and links.party_id = several.party_id
            and links.source_id = several.receipt_id
    where
        links.source_type = 'receipt'
        and links.verdict <> 'mismatch'
        and coalesce(several.receipt_rank, 1) = 1
)

select *
from final
