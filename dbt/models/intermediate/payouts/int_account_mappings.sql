-- grain: one connected account of a tenant that may receive: since when it is its party's without a break
with versions as (
    select
        tenant_id,
        account_id,
        updated_at,
        case
            when coalesce(connect_status, 'active') = 'active' and coalesce(payouts_enabled, true)
                then coalesce(party_id, '')
        end as party_id,
        {{ may_fund('exported') }} as may_fund
    from {{ ref('stg_kernel__connect_account_versions') }} as exported
),

mapped as (
    select
        tenant_id,
        account_id,
        coalesce(party_id, '') as party_id
    from {{ ref('stg_kernel__connect_accounts') }}
    where
        coalesce(connect_status, 'active') = 'active'
        and coalesce(payouts_enabled, true)
        and updated_at is not null
),

-- When it was last somebody else's, or nobody's to receive with.
broken as (
    select
        mapped.tenant_id,
        mapped.account_id,
        max(versions.updated_at) as broken_at
    from mapped
    inner join versions
        on
            mapped.tenant_id = versions.tenant_id
            and mapped.account_id = versions.account_id
    where coalesce(versions.party_id <> mapped.party_id, true)
    group by mapped.tenant_id, mapped.account_id
),

-- A sync dates the account anew and changes nobody's destination; a version that nobody vouches for proves no age.
final as (
    select
        mapped.tenant_id,
        mapped.account_id,
        min(versions.updated_at) as mapped_at
    from mapped
    inner join versions
        on
            mapped.tenant_id = versions.tenant_id
            and mapped.account_id = versions.account_id
            and mapped.party_id = versions.party_id
            and versions.may_fund
    left join broken
        on
            mapped.tenant_id = broken.tenant_id
            and mapped.account_id = broken.account_id
    where
        broken.broken_at is null
        or versions.updated_at > broken.broken_at
    group by mapped.tenant_id, mapped.account_id
)

select *
from final
