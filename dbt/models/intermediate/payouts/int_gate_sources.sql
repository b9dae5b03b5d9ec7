-- grain: one source of a payout that is not paid yet, with the kernel artifact that it names
with links as (
    select
        links.tenant_id,
        links.payout_key,
        links.source_type,
        links.source_id,
        links.source_hash,
        links.amount_cents,
        links.currency,
        links.may_fund
    from {{ ref('int_payout_links') }} as links
    inner join {{ ref('int_payout_states') }} as states
        on
            links.tenant_id = states.tenant_id
            and links.payout_key = states.payout_key
    where not states.is_paid
),

final as (
    select
        links.tenant_id,
        links.payout_key,
        links.source_type,
        links.source_id,
        links.amount_cents,
        links.currency,
        coalesce(receipts.receipt_hash, adjustments.adjustment_hash, holds.hold_hash) as found_hash,
        coalesce(receipts.receipt_hash, adjustments.receipt_hash, holds.receipt_hash) as receipt_hash,
        coalesce(adjustments.hold_hash, holds.hold_hash) as hold_hash,
        receipts.receipt_id,
        receipts.released_amount_cents,
        adjustments.adjustment_kind,
        -- Only receipts, adjustments and holds are artifacts with a hash of their own.
        links.may_fund
        and (
            links.source_type not in ('receipt', 'adjustment', 'holdback')
            or (
                coalesce(verified.is_settled and verified.is_standing and verified.may_fund, false)
                and (
                    links.source_hash is null
                    or links.source_hash = verified.source_hash
                )
            )
        ) as is_verified
    from links
    left join {{ ref('int_verified_sources') }} as verified
        on
            links.tenant_id = verified.tenant_id
            and links.source_type = verified.source_type
            and links.source_id = verified.source_id
    left join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            links.tenant_id = receipts.tenant_id
            and links.source_id = receipts.receipt_id
            and links.source_type = 'receipt'
    left join {{ ref('stg_kernel__settlement_adjustments') }} as adjustments
        on
            links.tenant_id = adjustments.tenant_id
            and links.source_id = adjustments.adjustment_id
            and links.source_type = 'adjustment'
    left join {{ ref('stg_kernel__funding_holds') }} as holds
        on
            links.tenant_id = holds.tenant_id
            and links.source_id = holds.hold_hash
            and links.source_type = 'holdback'
)

select *
from final
