-- grain: one refunded platform charge of a tenant in one currency: what the kernel already refunded itself
{{ config(materialized='view') }}
with links as (
    select distinct
        links.tenant_id,
        links.charge_id,
        receipts.receipt_id,
        receipts.receipt_hash,
        receipts.currency,
        receipts.refunded_amount_cents
    from {{ ref('stg_kernel__charge_links') }} as links
    inner join {{ ref('int_exposure_charge_shares') }} as shares
        on
            links.charge_id = shares.charge_id
            and links.tenant_id = shares.tenant_id
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            links.tenant_id = receipts.tenant_id
            and links.source_id = receipts.receipt_id
    where
        links.source_type = 'receipt'
        and {{ may_fund('links') }}
        and {{ may_fund('receipts') }}
),

-- Held money that went back to the payer never reached the party.
held_back as (
    select
        tenant_id,
        receipt_hash,
        {{ sum_cents('amount_cents') }} as refunded_cents
    from {{ ref('stg_kernel__settlement_adjustments') }} as adjustments
    where
        adjustment_kind = 'holdback_refund'
        and {{ may_fund('adjustments') }}
    group by tenant_id, receipt_hash
),

instructed as (
    select
        links.tenant_id,
        links.receipt_id,
        {{ sum_cents('payouts.amount_cents') }} as instructed_cents
    from links
    inner join {{ ref('int_payout_links') }} as payouts
        on
            links.tenant_id = payouts.tenant_id
            and links.receipt_id = payouts.source_id
            and payouts.source_type = 'receipt'
    group by links.tenant_id, links.receipt_id
),

tenants_with_links as (
    select distinct tenant_id
    from {{ ref('int_payout_links') }}
),

final as (
    select
        links.tenant_id,
        links.charge_id,
        links.currency,
        {{ sum_cents('coalesce(links.refunded_amount_cents, 0) + coalesce(held_back.refunded_cents, 0)') }} as covered_cents,
        -- Without payout links nobody can tell what the party got, so it counts as paid.
        max(case
            when tenants_with_links.tenant_id is null or instructed.instructed_cents > 0 then 1
            else 0
        end) = 1 as is_instructed
    from links
    left join held_back
        on
            links.tenant_id = held_back.tenant_id
            and links.receipt_hash = held_back.receipt_hash
    left join instructed
        on
            links.tenant_id = instructed.tenant_id
            and links.receipt_id = instructed.receipt_id
    left join tenants_with_links
        on links.tenant_id = tenants_with_links.tenant_id
    group by links.tenant_id, links.charge_id, links.currency
)

select *
from final
