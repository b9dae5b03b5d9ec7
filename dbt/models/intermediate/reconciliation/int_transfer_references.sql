-- grain: one platform transfer and the one instruction its references lead to, strongest reference first
with transfers as (
    select
        transfers.transfer_id,
        transfers.transfer_group,
        coalesce(transfers.meta_operation_id, 'mop_' || transfers.meta_payout_key) as operation_id,
        owners.tenant_id as owner_tenant_id
    from {{ ref('stg_stripe__transfers') }} as transfers
    left join {{ ref('int_account_owners') }} as owners
        on transfers.destination_account_id = owners.account_id
    where transfers.is_platform
),

expected as (
    select
        tenant_id,
        payout_key,
        coalesce(operation_id, 'mop_' || payout_key) as operation_id
    from {{ ref('int_expected_payouts') }}
),

booked as (
    select
        tenant_id,
        payout_key,
        provider_ref as transfer_id
    from {{ ref('stg_kernel__money_rail_operations') }}
    where provider_ref is not null

    union distinct

    select
        tenant_id,
        payout_key,
        transfer_id
    from {{ ref('stg_tieout__payout_journal') }}
    where
        transfer_id is not null
        and submission_state = 'submitted'
),

led as (
    select
        transfers.transfer_id,
        transfers.owner_tenant_id,
        expected.tenant_id,
        expected.payout_key,
        1 as pass,
        'operation' as match_method
    from transfers
    inner join expected
        on transfers.operation_id = expected.operation_id

    union all

    select
        transfers.transfer_id,
        transfers.owner_tenant_id,
        expected.tenant_id,
        expected.payout_key,
        2 as pass,
        'transfer' as match_method
    from transfers
    inner join booked
        on transfers.transfer_id = booked.transfer_id
    inner join expected
        on
            booked.tenant_id = expected.tenant_id
            and booked.payout_key = expected.payout_key

    union all

    select
        transfers.transfer_id,
        transfers.owner_tenant_id,
        expected.tenant_id,
        expected.payout_key,
        3 as pass,
        'transfer_group' as match_method
    from transfers
    inner join expected
        on transfers.transfer_group = expected.payout_key
),

ranked as (
    select
        *,
        row_number() over (
            partition by transfer_id
            order by
                pass asc nulls last,
                case when tenant_id = owner_tenant_id then 0 else 1 end asc nulls last,
                tenant_id asc nulls last,
                payout_key asc nulls last
        ) as preference
    from led
),

final as (
    select
        transfer_id,
        tenant_id,
        payout_key,
        match_method
    from ranked
    where preference = 1
)

select *
from final
