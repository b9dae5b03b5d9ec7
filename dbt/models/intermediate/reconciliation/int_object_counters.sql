-- grain: one charge, transfer or refund whose own word about what was given back differs from the parts
{{ config(materialized='view') }}
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

returned as (
    select
        account_id,
        object_id as refund_id,
        {{ sum_cents('amount_cents') }} as returned_cents
    from {{ ref('int_movements_linked') }}
    where movement_type = 'refund_failure'
    group by account_id, object_id
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

    union all

    -- A refund that failed gives its money back to the balance, and only such a one does.
    select
        refunds.account_id,
        refunds.refund_id as object_id,
        'refund' as object_type,
        refunds.charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        refunds.currency,
        refunds.created_at,
        case when refunds.refund_status in ('failed', 'canceled') then refunds.amount_cents else 0 end as counted_cents,
        case when returned.refund_id is not null then refunds.amount_cents else 0 end as parts_cents
    from {{ ref('stg_stripe__refunds') }} as refunds
    left join returned
        on
            refunds.account_id = returned.account_id
            and refunds.refund_id = returned.refund_id
    where
        refunds.is_platform
        and refunds.balance_transaction_id is not null
        and (refunds.refund_status in ('failed', 'canceled')) <> (returned.refund_id is not null)
)

select *
from final
