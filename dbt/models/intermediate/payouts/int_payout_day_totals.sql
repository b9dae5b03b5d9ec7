-- grain: one payout key that a tenant committed money to on the day of the run
with committed as (
    select
        operations.tenant_id,
        operations.payout_key,
        operations.currency,
        operations.amount_cents
    from {{ ref('stg_kernel__money_rail_operations') }} as operations
    inner join {{ ref('stg_tieout__run') }} as run
        on cast(operations.initiated_at as date) = cast(run.as_of as date)
    where
        operations.direction = 'payout'
        and operations.operation_state in ('initiated', 'submitted', 'confirmed')

    union all

    select
        journal.tenant_id,
        journal.payout_key,
        journal.currency,
        journal.amount_cents
    from {{ ref('int_payout_journal') }} as journal
    inner join {{ ref('stg_tieout__run') }} as run
        on cast(journal.first_at as date) = cast(run.as_of as date)
    where journal.is_bound
),

final as (
    select
        tenant_id,
        payout_key,
        min(currency) as currency,
        max(amount_cents) as amount_cents
    from committed
    group by tenant_id, payout_key
)

select *
from final
