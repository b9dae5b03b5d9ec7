-- grain: one payout instruction and one condition that depends on the payouts before it
{{ config(materialized='view') }}
with joined as (
    select
        sequence.tenant_id,
        sequence.payout_key,
        sequence.net_cents,
        coalesce(controls.is_single_limited, false) as is_single_limited,
        controls.single_cap_cents,
        coalesce(controls.is_daily_limited, false) as is_daily_limited,
        controls.daily_cap_cents,
        days.committed_cents + sequence.tenant_before_cents + sequence.net_cents as day_cents,
        sequence.platform_before_cents + sequence.net_cents as needed_cents,
        funds.available_cents,
        bindings.unverified_cents,
        operations.amount_cents as operation_cents
    from {{ ref('int_gate_sequence') }} as sequence
    inner join {{ ref('int_payout_bindings') }} as bindings
        on
            sequence.tenant_id = bindings.tenant_id
            and sequence.payout_key = bindings.payout_key
    left join {{ ref('int_payout_operations') }} as operations
        on
            sequence.tenant_id = operations.tenant_id
            and sequence.payout_key = operations.payout_key
            and operations.is_initiated
    inner join {{ ref('int_payout_day_commitments') }} as days
        on
            sequence.tenant_id = days.tenant_id
            and sequence.payout_key = days.payout_key
    left join {{ ref('int_payout_controls') }} as controls
        on
            sequence.tenant_id = controls.tenant_id
            and coalesce(sequence.provider_id, '') = controls.provider_key
    left join {{ ref('int_platform_funds') }} as funds
        on sequence.currency = funds.currency
),

-- A source that does not verify funds nothing, whatever the balance. Absent is not unlimited: only an explicit null is, and 0 pays nothing.
worded as (
    select
        *,
        case
            when not is_single_limited then 'absent'
            else coalesce(cast(single_cap_cents as {{ dbt.type_string() }}), 'unlimited')
        end as single_cap,
        case
            when not is_daily_limited then 'absent'
            else coalesce(cast(daily_cap_cents as {{ dbt.type_string() }}), 'unlimited')
        end as daily_cap
    from joined
),

final as (
{{ condition_rows('worded', [
    ('PAYOUT_AMOUNT_LIMIT_EXCEEDED', 'net_cents > 0 and (not is_single_limited or coalesce(net_cents > single_cap_cents, false))', 'net_cents', 'single_cap', 'controls'),
    ('PAYOUT_DAILY_LIMIT_EXCEEDED', 'net_cents > 0 and (not is_daily_limited or coalesce(day_cents > daily_cap_cents, false))', 'day_cents', 'daily_cap', 'controls'),
    ('UNFUNDED_PAYOUT', 'net_cents > 0 and (unverified_cents > 0 or coalesce(needed_cents > available_cents, true))',
        "cast(needed_cents as " ~ dbt.type_string() ~ ") || case when unverified_cents > 0 then ', sources unverified' else '' end",
        "coalesce(cast(available_cents as " ~ dbt.type_string() ~ "), 'not read')", 'rail balance'),
    ('OPERATION_AMOUNT_MISMATCH', 'coalesce(net_cents > operation_cents, false)', 'net_cents', "coalesce(cast(operation_cents as " ~ dbt.type_string() ~ "), 'no operation')", 'operation')
]) }}
)

select *
from final
