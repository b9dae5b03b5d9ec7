-- grain: one payout key with links: whether its sources are verified and sum to the instruction
{{ config(
    materialized='carried',
    carried_key=['tenant_id', 'payout_key'],
    touched_by="""
        select tenant_id, payout_key from changed.stg_kernel__receipt_payout_links
        union all
        select tenant_id, payout_key from changed.int_expected_payouts
        union all
        select tenant_id, payout_key
        from carried.staging.stg_kernel__receipt_payout_links
        where
            -- Holds and adjustments are few, so links to them are always looked at.
            source_type in ('holdback', 'adjustment')
            or hash(tenant_id, source_id) in (
                select hash(tenant_id, receipt_id) from changed.stg_kernel__settlement_receipts
                union all
                select hash(tenant_id, artifact_id) from changed.int_artifact_faults
            )
    """,
    narrowed={'stg_kernel__receipt_payout_links': ['tenant_id', 'payout_key']},
) }}
-- A link in another currency adds nothing to the instruction: currencies are never netted.
with links as (
    select
        links.tenant_id,
        links.payout_key,
        links.source_type,
        case when links.currency = expected.currency then links.amount_cents else 0 end as amount_cents,
        (
            links.source_type in ('receipt', 'adjustment', 'holdback')
            and not coalesce(sources.is_settled, false)
        )
        or links.currency <> expected.currency as is_unresolved
    from {{ ref('stg_kernel__receipt_payout_links') }} as links
    inner join {{ ref('int_expected_payouts') }} as expected
        on
            links.tenant_id = expected.tenant_id
            and links.payout_key = expected.payout_key
    left join {{ ref('int_verified_sources') }} as sources
        on
            links.tenant_id = sources.tenant_id
            and links.source_type = sources.source_type
            and links.source_id = sources.source_id
    where links.verdict <> 'mismatch'
),

final as (
    select
        tenant_id,
        payout_key,
        {{ sum_cents('amount_cents') }} as linked_cents,
        count(*) as links,
        count(case when is_unresolved then 1 end) as unresolved_links,
        count(case when source_type = 'receipt' then 1 end) as receipt_links,
        count(case when source_type = 'adjustment' then 1 end) as adjustment_links,
        count(case when source_type = 'holdback' then 1 end) as holdback_links
    from links
    group by tenant_id, payout_key
)

select *
from final
