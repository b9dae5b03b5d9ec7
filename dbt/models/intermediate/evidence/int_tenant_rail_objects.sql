-- grain: one rail row (account, object or balance transaction) that a tenant's tables rest on; others stay out of its packets
with charges as (
    select
        tenant_id,
        charge_id
    from {{ ref('int_charge_owners') }}

    union distinct

    select
        tenant_id,
        charge_id
    from {{ ref('int_exposure_charge_shares') }}
),

found as (
    select
        tenant_id,
        account_id,
        account_id as object_id
    from {{ ref('int_account_owners') }}

    union all

    select
        owners.tenant_id,
        objects.account_id,
        objects.object_id
    from {{ ref('int_rail_objects') }} as objects
    inner join {{ ref('int_account_owners') }} as owners
        on objects.account_id = owners.account_id

    union all

    select
        charges.tenant_id,
        objects.account_id,
        objects.object_id
    from {{ ref('int_rail_objects') }} as objects
    inner join charges
        on objects.charge_id = charges.charge_id

    union all

    select
        matches.tenant_id,
        objects.account_id,
        objects.object_id
    from {{ ref('int_rail_objects') }} as objects
    inner join {{ ref('int_transfer_matches') }} as matches
        on objects.transfer_id = matches.transfer_id

    union all

    select
        owners.tenant_id,
        linked.account_id,
        linked.balance_transaction_id as object_id
    from {{ ref('int_movements_linked') }} as linked
    inner join {{ ref('int_account_owners') }} as owners
        on linked.account_id = owners.account_id

    union all

    select
        charges.tenant_id,
        linked.account_id,
        linked.balance_transaction_id as object_id
    from {{ ref('int_movements_linked') }} as linked
    inner join charges
        on linked.charge_id = charges.charge_id

    union all

    select
        tenant_id,
        account_id,
        balance_transaction_id as object_id
    from {{ ref('int_movement_outcomes') }}
),

final as (
    select distinct
        tenant_id,
        account_id,
        object_id
    from found
    where tenant_id <> '_platform'
)

select *
from final
