-- grain: one tenant, month and currency of holdbacks: what the statuses say is held at its end, against what was
-- held before, was newly held and left by adjustments and silent releases
with run as (
    select as_of
    from {{ ref('stg_tieout__run') }}
),

adjusted as (
    select
        tenant_id,
        hold_hash,
        {{ sum_cents('amount_cents') }} as adjusted_cents,
        min(created_at) as adjusted_at
    from {{ ref('stg_kernel__settlement_adjustments') }}
    where verdict <> 'mismatch'
    group by tenant_id, hold_hash
),

holds as (
    select
        holds.tenant_id,
        holds.currency,
        holds.held_amount_cents,
        {{ period_of('holds.created_at') }} as opened_period,
        case when holds.hold_status <> 'held' then {{ period_of('coalesce(holds.resolved_at, holds.updated_at)') }} end as closed_period,
        {{ period_of('coalesce(holds.resolved_at, adjusted.adjusted_at)') }} as left_period,
        case
            when adjusted.hold_hash is not null then adjusted.adjusted_cents
            -- The kernel releases a hold after its window without any adjustment; it never refunds one so.
            when holds.hold_status = 'released' then holds.held_amount_cents
            else 0
        end as left_cents
    from {{ ref('stg_kernel__funding_holds') }} as holds
    left join adjusted
        on
            holds.tenant_id = adjusted.tenant_id
            and holds.hold_hash = adjusted.hold_hash
    where
        holds.verdict <> 'mismatch'
        and holds.created_at is not null
),

changes as (
    select
        tenant_id,
        currency,
        opened_period as period,
        held_amount_cents as by_status_cents,
        held_amount_cents as by_movement_cents
    from holds

    union all

    select
        tenant_id,
        currency,
        closed_period as period,
        -held_amount_cents as by_status_cents,
        0 as by_movement_cents
    from holds
    where closed_period is not null

    union all

    select
        tenant_id,
        currency,
        coalesce(left_period, opened_period) as period,
        0 as by_status_cents,
        -left_cents as by_movement_cents
    from holds
    where left_cents <> 0
),

months as (
    select
        tenant_id,
        currency,
        period,
        {{ sum_cents('by_status_cents') }} as by_status_cents,
        {{ sum_cents('by_movement_cents') }} as by_movement_cents
    from changes
    group by tenant_id, currency, period
),

final as (
    select
        months.tenant_id,
        'holdback_rolls_forward' as tie_out,
        months.period,
        'holdbacks' as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        months.currency,
        {{ running_cents('months.by_movement_cents', 'months.tenant_id, months.currency', 'months.period asc nulls last') }} as left_cents,
        {{ running_cents('months.by_status_cents', 'months.tenant_id, months.currency', 'months.period asc nulls last') }} as right_cents
    from months
    cross join run
    where months.period <= {{ period_of('run.as_of') }}
)

select *
from final
