-- grain: one platform transfer and one instruction that its strongest reference leads to
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

-- A key that two tenants use leads to the one that owns the account the money went to.
ranked as (
    select
        *,
        2 * pass + case when tenant_id = owner_tenant_id then 0 else 1 end as preference
    from led
),

strongest as (
    select
        transfer_id,
        min(preference) as preference
    from ranked
    group by transfer_id
),

-- What leads to several instructions equally strongly settles none of them: no coin is tossed.
final as (
    select
        ranked.transfer_id,
        ranked.tenant_id,
        ranked.payout_key,
        ranked.match_method,
        count(*) over (partition by ranked.transfer_id) as instructions
    from ranked
    inner join strongest
        on
            ranked.transfer_id = strongest.transfer_id
            and ranked.preference = strongest.preference
)

select *
from final
