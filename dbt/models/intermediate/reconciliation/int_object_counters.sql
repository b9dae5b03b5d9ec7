-- grain: one charge or transfer whose own count of what was given back differs from the parts
with refunds as (
    select
        account_id,
        charge_id,
        {{ sum_cents("case when refund_status not in ('failed', 'canceled') then amount_cents end") }} as parts_cents
    from {{ ref('stg_stripe__refunds') }}
    where charge_id is not null
    group by account_id, charge_id
),

reversals as (
    select
        account_id,
        transfer_id,
        {{ sum_cents('amount_cents') }} as parts_cents
    from {{ ref('stg_stripe__transfer_reversals') }}
    group by account_id, transfer_id
),

final as (
    select
        charges.account_id,
        charges.charge_id as object_id,
        'charge' as object_type,
        charges.charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        charges.currency,
        charges.created_at,
        charges.refunded_cents as counted_cents,
        coalesce(refunds.parts_cents, 0) as parts_cents
    from {{ ref('stg_stripe__charges') }} as charges
    left join refunds
        on
            charges.account_id = refunds.account_id
            and charges.charge_id = refunds.charge_id
    where
        charges.is_platform
        and charges.refunded_cents <> coalesce(refunds.parts_cents, 0)

    union all

    select
        transfers.account_id,
        transfers.transfer_id as object_id,
        'transfer' as object_type,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        transfers.transfer_id,
        transfers.currency,
        transfers.created_at,
        transfers.reversed_cents as counted_cents,
        coalesce(reversals.parts_cents, 0) as parts_cents
    from {{ ref('stg_stripe__transfers') }} as transfers
    left join reversals
        on
            transfers.account_id = reversals.account_id
            and transfers.transfer_id = reversals.transfer_id
    where
        transfers.is_platform
        and transfers.reversed_cents <> coalesce(reversals.parts_cents, 0)
)

select *
from final
