-- grain: one Stripe account that was ever asked: whether the newest finished pull read all of it
with coverage as (
    select
        coverage.pull_id,
        coverage.account_id,
        coverage.endpoint,
        coverage.coverage_status,
        coverage.started_at,
        coverage.finished_at,
        -- Rows from before the column existed: an account nobody owns was taken for the platform.
        coalesce(coverage.is_platform, owners.account_id is null) as is_platform
    from {{ ref('stg_tieout__coverage') }} as coverage
    left join {{ ref('int_account_owners') }} as owners
        on coverage.account_id = owners.account_id
    where coverage.source = 'stripe'
),

-- Balances are taken again when all else was read: a pull without them has died or goes on.
finished_pulls as (
    select
        pull_id,
        max(started_at) as started_at
    from coverage
    where endpoint = 'balances'
    group by pull_id
),

newest_pull as (
    select
        pull_id,
        row_number() over (order by started_at desc nulls last, pull_id desc nulls last) as pull_rank
    from finished_pulls
),

asked as (
    select
        coverage.account_id,
        count(case when coverage.coverage_status not in ('complete', 'departed') then 1 end) as open_slices,
        max(coverage.finished_at) as read_until
    from coverage
    inner join newest_pull
        on coverage.pull_id = newest_pull.pull_id
    where newest_pull.pull_rank = 1
    group by coverage.account_id
),

accounts as (
    select
        account_id,
        max(case when is_platform then 1 else 0 end) = 1 as is_platform
    from coverage
    group by account_id
),

final as (
    select
        accounts.account_id,
        accounts.is_platform,
        coalesce(asked.open_slices = 0, false) as is_complete,
        asked.read_until
    from accounts
    left join asked
        on accounts.account_id = asked.account_id
)

select *
from final
