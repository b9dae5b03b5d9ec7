-- grain: one group of items that settle one another: a payout instruction with its transfers, a charge with its receipts
{{ config(
    materialized='carried',
    carried_key=['match_key'],
    touched_by="""
        select payout_key from changed.int_payout_positions
        union all
        select payout_key from changed.int_payout_mapping
        union all
        select payout_key from changed.int_transfer_allocations
        union all
        select charge_id from changed.int_collection_positions
    """,
    narrowed={
        'int_payout_positions': ['payout_key'],
        'int_transfer_allocations': ['payout_key'],
        'int_collection_positions': ['charge_id'],
    },
) }}
with transfers as (
    select
        allocations.tenant_id,
        allocations.payout_key,
        count(*) as rail_items,
        min(allocations.match_method) as match_rule,
        count(distinct allocations.match_method) as rules
    from {{ ref('int_transfer_allocations') }} as allocations
    where allocations.allocated_cents > 0
    group by allocations.tenant_id, allocations.payout_key
),

payouts as (
    select
        positions.tenant_id,
        'payout' as group_kind,
        positions.payout_key as match_key,
        positions.party_id,
        positions.period,
        positions.currency,
        case
            when transfers.rules > 1 then 'several'
            else coalesce(transfers.match_rule, 'none')
        end as match_rule,
        -- The sources of an instruction, where its links are exported; else the instruction itself.
        case when mapping.links > 0 then mapping.links else 1 end as kernel_items,
        coalesce(transfers.rail_items, 0) as rail_items,
        positions.expected_cents,
        positions.settled_cents as matched_cents,
        positions.tolerated_cents,
        positions.tolerance_cents,
        positions.window_days
    from {{ ref('int_payout_positions') }} as positions
    inner join {{ ref('int_payout_mapping') }} as mapping
        on
            positions.tenant_id = mapping.tenant_id
            and positions.payout_key = mapping.payout_key
    left join transfers
        on
            positions.tenant_id = transfers.tenant_id
            and positions.payout_key = transfers.payout_key
),

collections as (
    select
        tenant_id,
        'collection' as group_kind,
        charge_id as match_key,
        party_id,
        period,
        currency,
        case when matched_cents > 0 then 'charge_link' else 'none' end as match_rule,
        sources as kernel_items,
        case when matched_cents > 0 then 1 else 0 end as rail_items,
        expected_cents,
        matched_cents,
        0 as tolerated_cents,
        0 as tolerance_cents,
        cast(null as bigint) as window_days
    from {{ ref('int_collection_positions') }}
),

groups as (
    select * from payouts
    union all
    select * from collections
),

final as (
    select
        tenant_id,
        group_kind,
        match_key,
        party_id,
        period,
        currency,
        match_rule,
        case
            when rail_items = 0 then 'unmatched'
            when rail_items = 1 and kernel_items = 1 then '1:1'
            when rail_items = 1 then 'N:1'
            when kernel_items = 1 then '1:N'
            else 'N:M'
        end as cardinality,
        cast(kernel_items as bigint) as kernel_items,
        cast(rail_items as bigint) as rail_items,
        expected_cents,
        matched_cents,
        cast(tolerated_cents as bigint) as tolerated_cents,
        cast(tolerance_cents as bigint) as tolerance_cents,
        window_days
    from groups
)

select *
from final
