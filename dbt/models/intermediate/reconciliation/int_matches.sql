-- grain: one match of a payout, collection or refund: since when it waited, when it met its other side, and with how much
{{ config(materialized='view') }}
with payouts as (
    select
        'payout' as item_kind,
        positions.tenant_id,
        positions.currency,
        positions.payout_key as match_key,
        positions.generated_at as opened_at,
        allocations.created_at as matched_at,
        allocations.allocated_cents as matched_cents
    from {{ ref('int_transfer_allocations') }} as allocations
    inner join {{ ref('int_payout_positions') }} as positions
        on
            allocations.tenant_id = positions.tenant_id
            and allocations.payout_key = positions.payout_key
    where allocations.allocated_cents > 0
),

collections as (
    select
        'collection' as item_kind,
        tenant_id,
        currency,
        charge_id as match_key,
        receipted_at as opened_at,
        collected_at as matched_at,
        matched_cents
    from {{ ref('int_collection_positions') }}
    where matched_cents > 0
),

refunds as (
    select
        'refund' as item_kind,
        positions.tenant_id,
        positions.currency,
        positions.charge_id as match_key,
        positions.refundable_at as opened_at,
        allocations.occurred_at as matched_at,
        allocations.allocated_cents as matched_cents
    from {{ ref('int_refund_allocations') }} as allocations
    inner join {{ ref('int_refund_positions') }} as positions
        on
            allocations.tenant_id = positions.tenant_id
            and allocations.charge_id = positions.charge_id
            and allocations.currency = positions.currency
    where allocations.allocated_cents > 0
),

final as (
    select * from payouts
    union all
    select * from collections
    union all
    select * from refunds
)

select *
from final
