-- grain: one party of a disputed or refunded platform charge, with its slice of every amount of that charge
with touched as (
    select charge_id
    from {{ ref('stg_stripe__disputes') }}
    where
        is_platform
        and charge_id is not null

    union distinct

    select charge_id
    from {{ ref('stg_stripe__refunds') }}
    where
        is_platform
        and charge_id is not null
),

-- A tenant whose exports are signed says by signed links alone whose a charge is.
signing as (
    select distinct links.tenant_id
    from {{ ref('stg_kernel__charge_links') }} as links
    where {{ may_fund('links') }}
),

-- What a tenant's own links say comes first; a charge that two tenants claim belongs to neither.
linked as (
    select
        links.charge_id,
        links.tenant_id,
        links.party_id,
        {{ sum_cents('abs(links.amount_cents)') }} as weight_cents
    from {{ ref('stg_kernel__charge_links') }} as links
    inner join {{ ref('int_charge_owners') }} as owners
        on
            links.charge_id = owners.charge_id
            and links.tenant_id = owners.tenant_id
    inner join touched
        on links.charge_id = touched.charge_id
    left join signing
        on links.tenant_id = signing.tenant_id
    where
        links.verdict <> 'mismatch'
        and (links.is_vouched or signing.tenant_id is null)
    group by links.charge_id, links.tenant_id, links.party_id
),

weighted as (
    select *
    from linked

    union all

    select transferred.*
    from {{ ref('int_exposure_charge_transfers') }} as transferred
    left join {{ ref('stg_kernel__charge_links') }} as links
        on transferred.charge_id = links.charge_id
    where links.charge_id is null
),

totals as (
    select
        charge_id,
        count(*) as parties,
        count(distinct tenant_id) as tenants,
        {{ sum_cents('weight_cents') }} as total_cents
    from weighted
    group by charge_id
),

-- Beyond a thousand million minor units the weights are coarsened, so that no product leaves 64 bits.
scaled as (
    select
        weighted.charge_id,
        weighted.tenant_id,
        weighted.party_id,
        case
            when totals.parties = 1 or totals.total_cents = 0 then 1
            when totals.total_cents > 1000000000
                then {{ int_div('weighted.weight_cents', int_div('totals.total_cents', '1000000')) }}
            else weighted.weight_cents
        end as weight
    from weighted
    inner join totals
        on weighted.charge_id = totals.charge_id
    where totals.tenants = 1
),

final as (
    select
        charge_id,
        tenant_id,
        party_id,
        coalesce(party_id, '') as party_key,
        {{ running_cents('weight', 'charge_id', 'party_id asc nulls last', preceding_only=true) }} as slice_from,
        {{ running_cents('weight', 'charge_id', 'party_id asc nulls last') }} as slice_to,
        cast(sum(weight) over (partition by charge_id) as bigint) as slice_total
    from scaled
)

select *
from final
