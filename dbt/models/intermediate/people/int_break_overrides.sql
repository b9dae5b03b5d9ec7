-- grain: one override of a break, with what became of the break since it was proposed
with overrides as (
    select *
    from {{ ref('int_overrides') }}
    where subject_kind = 'break'
),

compared as (
    select
        overrides.override_id,
        overrides.tenant_id,
        overrides.break_id,
        overrides.is_in_force,
        case
            when items.break_id is null then 'break_gone'
            when
                items.expected_cents - items.actual_cents <> overrides.drift_cents
                or items.reason_code <> overrides.reason_code
                or items.currency <> overrides.currency
                then 'drift_changed'
            -- A break without an amount difference (a wrong destination) weighs what moved.
            when
                case
                    when overrides.drift_cents <> 0 then abs(overrides.drift_cents)
                    else greatest(abs(coalesce(items.expected_cents, 0)), abs(coalesce(items.actual_cents, 0)))
                end > overrides.amount_cents
                then 'over_amount'
        end as mismatch_code
    from overrides
    left join {{ ref('int_open_items') }} as items
        on
            overrides.tenant_id = items.tenant_id
            and overrides.break_id = items.break_id
            and items.outcome = 'break'
),

ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, break_id, is_in_force and mismatch_code is null
            order by override_id asc nulls last
        ) as place
    from compared
),

final as (
    select
        override_id,
        tenant_id,
        break_id,
        mismatch_code,
        is_in_force and mismatch_code is null as is_effective,
        -- Several may cover one break; the first of them is the one that tables name.
        is_in_force and mismatch_code is null and place = 1 as is_named
    from ranked
)

select *
from final
