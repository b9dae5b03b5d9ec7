-- grain: one party that was paid out of a disputed or refunded platform charge by a transfer bound to that charge
{{ config(materialized='view') }}
with touched as (
    select charge_id
    from {{ ref('stg_stripe__disputes') }}
    where is_platform

    union distinct

    select charge_id
    from {{ ref('stg_stripe__refunds') }}
    where is_platform
),

charges as (
    select
        charges.charge_id,
        charges.transfer_id,
        charges.transfer_group
    from {{ ref('stg_stripe__charges') }} as charges
    inner join touched
        on charges.charge_id = touched.charge_id
    where charges.is_platform
),

bound as (
    select
        charges.charge_id,
        transfers.transfer_id
    from charges
    inner join {{ ref('stg_stripe__transfers') }} as transfers
        on charges.charge_id = transfers.source_charge_id
    where transfers.is_platform

    union distinct

    select
        charge_id,
        transfer_id
    from charges
    where transfer_id is not null

    union distinct

    select
        charges.charge_id,
        transfers.transfer_id
    from charges
    inner join {{ ref('stg_stripe__transfers') }} as transfers
        on charges.transfer_group = transfers.transfer_group
    where transfers.is_platform
),

final as (
    select
        bound.charge_id,
        owners.tenant_id,
        owners.party_id,
        {{ sum_cents('transfers.amount_cents') }} as weight_cents
    from bound
    inner join {{ ref('stg_stripe__transfers') }} as transfers
        on
            bound.transfer_id = transfers.transfer_id
            and transfers.is_platform
    inner join {{ ref('int_account_owners') }} as owners
        on transfers.destination_account_id = owners.account_id
    group by bound.charge_id, owners.tenant_id, owners.party_id
)

select *
from final
