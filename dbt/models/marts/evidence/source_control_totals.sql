-- grain: one account, reporting category, currency and month of the rail: count and sums of what was read
with final as (
    select
        coalesce(owners.tenant_id, '_platform') as tenant_id,
        transactions.account_id,
        coalesce(transactions.reporting_category, '') as reporting_category,
        transactions.currency,
        {{ period_of('transactions.created_at') }} as period,
        count(*) as row_count,
        {{ sum_cents('transactions.amount_cents') }} as amount_cents,
        {{ sum_cents('transactions.fee_cents') }} as fee_cents,
        {{ sum_cents('transactions.net_cents') }} as net_cents
    from {{ ref('stg_stripe__balance_transactions') }} as transactions
    left join {{ ref('int_account_owners') }} as owners
        on transactions.account_id = owners.account_id
    group by
        coalesce(owners.tenant_id, '_platform'),
        transactions.account_id,
        coalesce(transactions.reporting_category, ''),
        transactions.currency,
        {{ period_of('transactions.created_at') }}
)

select *
from final
