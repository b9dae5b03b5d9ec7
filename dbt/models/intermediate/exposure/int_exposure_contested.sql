-- grain: one tenant that claims charges which another tenant claims too: the debt standing on those charges
{{ config(materialized='view') }}
with contested as (
    select links.charge_id
    from {{ ref('stg_kernel__charge_links') }} as links
    inner join {{ ref('stg_stripe__disputes') }} as disputes
        on
            links.charge_id = disputes.charge_id
            and disputes.is_platform
    group by links.charge_id
    having count(distinct links.tenant_id) > 1
),

claimants as (
    select distinct
        links.tenant_id,
        links.charge_id
    from {{ ref('stg_kernel__charge_links') }} as links
    inner join contested
        on links.charge_id = contested.charge_id
),

final as (
    select
        claimants.tenant_id,
        {{ sum_cents('entries.applied_cents') }} as outstanding_cents
    from claimants
    inner join {{ ref('stg_stripe__disputes') }} as disputes
        on
            claimants.charge_id = disputes.charge_id
            and disputes.is_platform
    inner join {{ ref('int_exposure_entries') }} as entries
        on
            disputes.dispute_id = entries.source_id
            and entries.tenant_id = '_platform'
            and entries.party_id is null
    group by claimants.tenant_id
)

select *
from final
