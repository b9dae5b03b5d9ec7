-- grain: one currency: what the platform account had available when last read, less what left since
{{ config(materialized='view') }}
with readings as (
    select
        balances.currency,
        balances.amount_cents,
        balances.taken_at,
        row_number() over (
            partition by balances.currency
            order by
                balances.taken_at desc nulls last,
                -- `after` a pull is later than `before` it.
                balances.snapshot asc nulls last,
                balances.account_id asc nulls last,
                -- Of two readings of one moment the smaller funds.
                balances.amount_cents asc nulls last
        ) as newest_rank
    from {{ ref('stg_stripe__balances') }} as balances
    inner join {{ ref('stg_tieout__run') }} as run
        on balances.received_at <= run.as_of
    where
        balances.is_platform
        and balances.bucket = 'available'
        and balances.balance_type = 'payments'
),

available as (
    select
        currency,
        amount_cents as available_cents,
        taken_at
    from readings
    where newest_rank = 1
),

sent as (
    select
        available.currency,
        {{ sum_cents('journal.amount_cents') }} as sent_cents
    from available
    inner join {{ ref('int_payout_journal') }} as journal
        on available.currency = journal.currency
    where
        journal.is_bound
        and (journal.is_unresolved or journal.latest_at > available.taken_at)
    group by available.currency
),

final as (
    select
        available.currency,
        available.available_cents - coalesce(sent.sent_cents, 0) as available_cents,
        available.taken_at
    from available
    left join sent
        on available.currency = sent.currency
)

select *
from final
