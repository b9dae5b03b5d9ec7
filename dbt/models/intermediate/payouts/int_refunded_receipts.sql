-- grain: one receipt whose whole amount went back to the payer, in the kernel or at the rail
{{ config(materialized='view') }}
with in_kernel as (
    select
        tenant_id,
        receipt_hash
    from {{ ref('stg_kernel__settlement_receipts') }}
    where receipt_status = 'refunded'

    union distinct

    select
        receipts.tenant_id,
        receipts.receipt_hash
    from {{ ref('stg_kernel__x402_receipts') }} as projected
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            projected.tenant_id = receipts.tenant_id
            and projected.receipt_id = receipts.receipt_id
    where projected.settlement_state = 'refunded'

    union distinct

    select
        receipts.tenant_id,
        receipts.receipt_hash
    from {{ ref('int_runs') }} as runs
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            runs.tenant_id = receipts.tenant_id
            and runs.run_id = receipts.run_id
    where runs.receipt_status = 'refunded'
),

at_rail as (
    select
        links.tenant_id,
        receipts.receipt_hash
    from {{ ref('stg_stripe__charges') }} as charges
    inner join {{ ref('stg_kernel__charge_links') }} as links
        on charges.charge_id = links.charge_id
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            links.tenant_id = receipts.tenant_id
            and links.source_id = receipts.receipt_id
    where
        charges.is_platform
        and charges.refunded_cents > 0
        and charges.refunded_cents >= charges.amount_cents
        and links.source_type = 'receipt'
),

final as (
    select * from in_kernel
    union distinct
    select * from at_rail
)

select *
from final
