-- grain: one line of one tenant, period and currency, from the kernel's total to the rail's; the last line is 0
with explained as (
    select
        tenant_id,
        period,
        currency,
        line_no,
        line_code,
        {{ sum_cents('amount_cents') }} as amount_cents
    from {{ ref('int_bridge_amounts') }}
    group by tenant_id, period, currency, line_no, line_code
),

bridges as (
    select distinct
        tenant_id,
        period,
        currency
    from explained

    union distinct

    select
        tenant_id,
        period,
        currency
    from {{ ref('int_rail_totals') }}
),

explained_totals as (
    select
        tenant_id,
        period,
        currency,
        {{ sum_cents('amount_cents') }} as amount_cents
    from explained
    group by tenant_id, period, currency
),

rail_totals as (
    select
        bridges.tenant_id,
        bridges.period,
        bridges.currency,
        coalesce(totals.net_cents, 0) as amount_cents
    from bridges
    left join {{ ref('int_rail_totals') }} as totals
        on
            bridges.tenant_id = totals.tenant_id
            and bridges.period = totals.period
            and bridges.currency = totals.currency
),

lines as (
    select
        tenant_id,
        period,
        currency,
        line_no,
        line_code,
        amount_cents
    from explained
    where amount_cents <> 0

    union all

    select
        tenant_id,
        period,
        currency,
        900 as line_no,
        'rail_total' as line_code,
        amount_cents
    from rail_totals

    union all

    select
        rail_totals.tenant_id,
        rail_totals.period,
        rail_totals.currency,
        999 as line_no,
        'residual' as line_code,
        rail_totals.amount_cents - coalesce(explained_totals.amount_cents, 0) as amount_cents
    from rail_totals
    left join explained_totals
        on
            rail_totals.tenant_id = explained_totals.tenant_id
            and rail_totals.period = explained_totals.period
            and rail_totals.currency = explained_totals.currency
),

final as (
    select
        tenant_id,
        period,
        currency,
        cast(line_no as bigint) as line_no,
        line_code,
        amount_cents
    from lines
)

select *
from final
