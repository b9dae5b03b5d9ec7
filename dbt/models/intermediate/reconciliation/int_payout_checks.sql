-- grain: one payout key and check of its own sources that fails: what the payout should have been by its sources
{{ config(materialized='carried', carried_key=['tenant_id', 'payout_key', 'reason_code']) }}
with reversed_payouts as (
    select
        allocations.tenant_id,
        allocations.payout_key,
        {{ sum_cents('transfers.reversed_cents - allocations.undone_cents') }} as reversed_cents
    from {{ ref('int_transfer_allocations') }} as allocations
    inner join {{ ref('stg_stripe__transfers') }} as transfers
        on
            allocations.account_id = transfers.account_id
            and allocations.transfer_id = transfers.transfer_id
    group by allocations.tenant_id, allocations.payout_key
),

positions as (
    select
        positions.*,
        mapping.linked_cents,
        mapping.has_link_variance,
        coalesce(reversed.reversed_cents, 0) as reversed_cents,
        coalesce(links.holdback_links, 0) > 0 as has_holdback_links,
        coalesce(fees.withheld_cents, 0) - coalesce(fees.due_cents, 0) as overcharged_cents
    from {{ ref('int_payout_positions') }} as positions
    inner join {{ ref('int_payout_mapping') }} as mapping
        on
            positions.tenant_id = mapping.tenant_id
            and positions.payout_key = mapping.payout_key
    left join {{ ref('int_link_totals') }} as links
        on
            positions.tenant_id = links.tenant_id
            and positions.payout_key = links.payout_key
    left join reversed_payouts as reversed
        on
            positions.tenant_id = reversed.tenant_id
            and positions.payout_key = reversed.payout_key
    left join {{ ref('int_platform_fees') }} as fees
        on
            positions.tenant_id = fees.tenant_id
            and positions.payout_key = fees.payout_key
),

opposite as (
    select
        tenant_id,
        payout_key,
        'SIGN_MISMATCH' as reason_code,
        -expected_cents as expected_cents,
        expected_cents as actual_cents,
        settled_cents as unexplained_cents
    from positions
    where
        operation_collects
        and settled_cents > 0
),

-- Another instruction covers this party and month already, so nothing of this one was due.
paid_again as (
    select
        tenant_id,
        payout_key,
        'DUPLICATE_INTERNAL' as reason_code,
        0 as expected_cents,
        settled_cents - reversed_cents as actual_cents,
        settled_cents - reversed_cents as unexplained_cents
    from positions
    where
        is_superseded
        and settled_cents > reversed_cents
        and not operation_reversed
),

linked as (
    select
        tenant_id,
        payout_key,
        case
            when has_holdback_links then 'HOLDBACK_VARIANCE'
            when linked_cents < gross_cents then 'AMOUNT_OVER'
            else 'AMOUNT_UNDER'
        end as reason_code,
        linked_cents as expected_cents,
        gross_cents as actual_cents,
        case when linked_cents < gross_cents then gross_cents - linked_cents else 0 end as unexplained_cents
    from positions
    where has_link_variance
),

overcharged as (
    select
        tenant_id,
        payout_key,
        'FEE_VARIANCE' as reason_code,
        gross_cents + overcharged_cents as expected_cents,
        gross_cents as actual_cents,
        case when overcharged_cents < 0 then -overcharged_cents else overcharged_cents end as unexplained_cents
    from positions
    where overcharged_cents <> 0
),

late as (
    select
        tenant_id,
        payout_key,
        'LATE_SETTLEMENT' as reason_code,
        expected_cents,
        settled_cents as actual_cents,
        0 as unexplained_cents
    from positions
    where
        open_code is null
        and late_transfers > 0
),

unreversed as (
    select
        tenant_id,
        payout_key,
        'STATUS_CONFLICT' as reason_code,
        0 as expected_cents,
        settled_cents - reversed_cents as actual_cents,
        settled_cents - reversed_cents as unexplained_cents
    from positions
    where
        operation_reversed
        and settled_cents > reversed_cents
),

final as (
    select * from opposite
    union all
    select * from unreversed
    union all
    select * from paid_again
    union all
    select * from linked
    union all
    select * from overcharged
    union all
    select * from late
)

select *
from final
