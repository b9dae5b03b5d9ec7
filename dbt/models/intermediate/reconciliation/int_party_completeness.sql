-- grain: one party with a connected account: whether the rail was read for it
with platform as (
    select
        count(*) > 0
        and count(case when not is_complete then 1 end) = 0 as is_complete
    from {{ ref('int_account_completeness') }}
    where is_platform
),

-- An account that two tenants claim stands behind both.
own_accounts as (
    select
        claims.tenant_id,
        claims.party_id,
        count(case when not accounts.is_complete then 1 end) as open_accounts
    from {{ ref('stg_kernel__connect_accounts') }} as claims
    left join {{ ref('int_account_completeness') }} as accounts
        on
            claims.account_id = accounts.account_id
            and not accounts.is_platform
    where claims.party_id is not null
    group by claims.tenant_id, claims.party_id
),

final as (
    select
        own_accounts.tenant_id,
        own_accounts.party_id,
        platform.is_complete and own_accounts.open_accounts = 0 as stripe_complete
    from own_accounts
    cross join platform
)

select *
from final
