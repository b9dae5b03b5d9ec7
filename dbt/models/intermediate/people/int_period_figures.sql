-- grain: one figure of a tenant's period and currency: what certification locks, from both sides and never netted
with movements as (
    select
        tenant_id,
        period,
        currency,
        'rail_' || movement_type as figure,
        amount_cents
    from {{ ref('int_movement_outcomes') }}

    union all

    select
        tenant_id,
        period,
        currency,
        'rail_fees' as figure,
        amount_cents - net_cents as amount_cents
    from {{ ref('int_movement_outcomes') }}

    union all

    -- Two changes that cancel leave every signed sum alone; the gross they do not.
    select
        tenant_id,
        period,
        currency,
        'rail_gross' as figure,
        abs(amount_cents) as amount_cents
    from {{ ref('int_movement_outcomes') }}
),

kernel as (
    select
        tenant_id,
        period,
        currency,
        'kernel_payouts' as figure,
        expected_cents as amount_cents
    from {{ ref('int_payout_positions') }}

    union all

    select
        tenant_id,
        period,
        currency,
        'kernel_collections' as figure,
        expected_cents as amount_cents
    from {{ ref('int_collection_positions') }}

    union all

    select
        tenant_id,
        period,
        currency,
        'kernel_refunds' as figure,
        expected_cents as amount_cents
    from {{ ref('int_refund_positions') }}
),

figures as (
    select * from movements
    union all
    select * from kernel
),

final as (
    select
        tenant_id,
        period,
        currency,
        figure,
        {{ sum_cents('amount_cents') }} as amount_cents
    from figures
    where
        tenant_id <> '_platform'
        and period is not null
    group by tenant_id, period, currency, figure
)

select *
from final
