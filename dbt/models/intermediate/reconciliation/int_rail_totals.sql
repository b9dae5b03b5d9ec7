-- grain: one tenant, calendar month and currency: what the rail's own rows sum to, read past every rule of matching
with owned as (
    select
        movement_id,
        tenant_id
    from {{ ref('int_movement_outcomes') }}
),

final as (
    select
        coalesce(owned.tenant_id, '_platform') as tenant_id,
        {{ period_of('transactions.created_at') }} as period,
        transactions.currency,
        {{ sum_cents('transactions.net_cents') }} as net_cents,
        count(*) as movements
    from {{ ref('stg_stripe__balance_transactions') }} as transactions
    left join owned
        on transactions.account_id || ':' || transactions.balance_transaction_id = owned.movement_id
    where transactions.is_platform
    group by
        coalesce(owned.tenant_id, '_platform'),
        {{ period_of('transactions.created_at') }},
        transactions.currency
)

select *
from final
