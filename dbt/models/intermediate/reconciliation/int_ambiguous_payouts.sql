-- grain: one payout key that shares a transfer with another, by reference or by nearness, or that several could settle
{{ config(materialized='view') }}
with matched as (
    select
        tenant_id,
        payout_key
    from {{ ref('int_transfer_nearest') }}
    where payout_key is not null
),

near as (
    select
        pairs.tenant_id,
        pairs.payout_key
    from {{ ref('int_transfer_pairs') }} as pairs
    inner join {{ ref('int_transfer_nearest') }} as nearest
        on
            pairs.transfer_id = nearest.transfer_id
            and nearest.payout_key is null
    left join matched
        on
            pairs.tenant_id = matched.tenant_id
            and pairs.payout_key = matched.payout_key
    where
        pairs.payout_key is not null
        and matched.payout_key is null
),

-- A transfer that leads to two tenants is neither's, and no tenant is told of another's.
of_one_tenant as (
    select transfer_id
    from {{ ref('int_transfer_references') }}
    where instructions > 1
    group by transfer_id
    having count(distinct tenant_id) = 1
),

final as (
    select
        tenant_id,
        payout_key
    from near

    union distinct

    select
        led.tenant_id,
        led.payout_key
    from {{ ref('int_transfer_references') }} as led
    inner join of_one_tenant
        on led.transfer_id = of_one_tenant.transfer_id
)

select *
from final
