-- grain: one signed amount of the bridge before it is summed: what the kernel says, then what explains the rail
{{ config(materialized='view') }}
with collections as (
    select
        tenant_id,
        period,
        currency,
        10 as line_no,
        'kernel_collections' as line_code,
        expected_cents as amount_cents
    from {{ ref('int_collection_positions') }}
),

refunds as (
    select
        tenant_id,
        period,
        currency,
        15 as line_no,
        'kernel_refunds' as line_code,
        -expected_cents as amount_cents
    from {{ ref('int_refund_positions') }}
),

payouts as (
    select
        tenant_id,
        period,
        currency,
        20 as line_no,
        'kernel_payouts' as line_code,
        -gross_cents as amount_cents
    from {{ ref('int_payout_positions') }}
),

recoveries as (
    select
        tenant_id,
        period,
        currency,
        30 as line_no,
        'recoveries_netted' as line_code,
        recovery_cents as amount_cents
    from {{ ref('int_payout_positions') }}
),

tolerated as (
    select
        tenant_id,
        period,
        currency,
        45 as line_no,
        'within_tolerance' as line_code,
        tolerated_cents as amount_cents
    from {{ ref('int_payout_positions') }}
    where tolerated_cents <> 0
),

open_items as (
    select
        items.tenant_id,
        items.period,
        items.currency,
        case
            when items.outcome = 'pending' then 40
            when items.is_written_off then 95
            else 100 + codes.precedence
        end as line_no,
        case
            when items.outcome = 'pending' then 'pending'
            when items.is_written_off then 'written_off'
            else 'break_' || lower(items.reason_code)
        end as line_code,
        items.balance_effect_cents as amount_cents
    from {{ ref('int_open_items') }} as items
    inner join {{ ref('reason_codes') }} as codes
        on items.reason_code = codes.reason_code
    where items.balance_effect_cents <> 0
),

inherited as (
    select
        tenant_id,
        period,
        currency,
        case movement_type
            when 'dispute' then 52
            when 'dispute_reversal' then 53
            when 'payout_reversal' then 54
            else 59
        end as line_no,
        case movement_type
            when 'dispute' then 'disputes'
            when 'dispute_reversal' then 'dispute_reversals'
            when 'payout_reversal' then 'payout_reversals'
            else 'other_inherited'
        end as line_code,
        explained_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}
    where
        scope = 'inherits_parent'
        and (movement_type <> 'refund' or is_returned)
),

-- Transfers that no instruction asked for, as far as they were taken back again.
undone as (
    select
        tenant_id,
        period,
        currency,
        55 as line_no,
        'transfers_undone' as line_code,
        -undone_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}
    where undone_cents <> 0
),

-- A converted movement leaves the kernel's currency here and arrives in the balance's there.
converted_out as (
    select
        tenant_id,
        period,
        claimed_currency as currency,
        75 as line_no,
        'converted' as line_code,
        -converted_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}
    where is_converted
),

converted_in as (
    select
        tenant_id,
        period,
        currency,
        75 as line_no,
        'converted' as line_code,
        explained_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}
    where
        is_converted
        and not is_returned
),

internal_to_rail as (
    select
        tenant_id,
        period,
        currency,
        60 as line_no,
        'rail_internal' as line_code,
        explained_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}
    where scope = 'rail_internal'
),

fees as (
    select
        tenant_id,
        period,
        currency,
        70 as line_no,
        'processor_fees' as line_code,
        -explained_fee_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}
),

moved_out as (
    select
        tenant_id,
        period,
        currency,
        80 as line_no,
        'settled_in_other_months' as line_code,
        -net_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}
    where period <> calendar_period
),

moved_in as (
    select
        tenant_id,
        calendar_period as period,
        currency,
        81 as line_no,
        'settled_for_other_periods' as line_code,
        net_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}
    where period <> calendar_period
),

final as (
    select * from collections
    union all
    select * from refunds
    union all
    select * from payouts
    union all
    select * from recoveries
    union all
    select * from open_items
    union all
    select * from tolerated
    union all
    select * from inherited
    union all
    select * from undone
    union all
    select * from internal_to_rail
    union all
    select * from fees
    union all
    select * from converted_out
    union all
    select * from converted_in
    union all
    select * from moved_out
    union all
    select * from moved_in
)

select *
from final
