-- grain: one account, balance type, currency and identity (I3): what the rail states beside the sum of its movements
{{ config(materialized='view') }}
with ranked as (
    select
        account_id,
        snapshot,
        balance_type,
        currency,
        bucket,
        amount_cents,
        row_number() over (
            partition by account_id, snapshot, balance_type, currency, bucket
            order by taken_at desc nulls last, received_at desc nulls last
        ) as newest_rank
    from {{ ref('stg_stripe__balances') }}
    where bucket in ('available', 'pending')
),

-- A bucket lands only when it changes, so the newest of each is what the newest reading says.
stated as (
    select
        account_id,
        balance_type,
        currency,
        bucket,
        {{ sum_cents("case when snapshot = 'before' then amount_cents else 0 end") }} as before_cents,
        {{ sum_cents("case when snapshot = 'after' then amount_cents else 0 end") }} as after_cents
    from ranked
    where newest_rank = 1
    group by account_id, balance_type, currency, bucket
),

-- Whether a movement is available is a matter of time, whatever was landed when it was first read.
swept as (
    select
        transactions.account_id,
        transactions.balance_type,
        transactions.currency,
        case when transactions.available_on <= accounts.read_until then 'available' else 'pending' end as bucket,
        {{ sum_cents('transactions.net_cents') }} as net_cents
    from {{ ref('stg_stripe__balance_transactions') }} as transactions
    inner join {{ ref('int_account_completeness') }} as accounts
        on transactions.account_id = accounts.account_id
    group by
        transactions.account_id,
        transactions.balance_type,
        transactions.currency,
        case when transactions.available_on <= accounts.read_until then 'available' else 'pending' end
),

by_bucket as (
    select
        stated.account_id,
        stated.balance_type,
        stated.currency,
        stated.bucket || '_equals_movements' as tie_out,
        stated.before_cents,
        stated.after_cents,
        coalesce(swept.net_cents, 0) as swept_cents
    from stated
    left join swept
        on
            stated.account_id = swept.account_id
            and stated.balance_type = swept.balance_type
            and stated.currency = swept.currency
            and stated.bucket = swept.bucket
),

whole as (
    select
        account_id,
        balance_type,
        currency,
        'balance_equals_movements' as tie_out,
        {{ sum_cents('before_cents') }} as before_cents,
        {{ sum_cents('after_cents') }} as after_cents,
        {{ sum_cents('swept_cents') }} as swept_cents
    from by_bucket
    group by account_id, balance_type, currency
),

identities as (
    select * from by_bucket
    union all
    select * from whole
),

-- Money may move while movements are read: they then agree with the balance before or after.
final as (
    select
        account_id,
        balance_type,
        currency,
        tie_out,
        case when before_cents = swept_cents then before_cents else after_cents end as stated_cents,
        swept_cents
    from identities
)

select *
from final
