-- grain: one balance transaction of a platform dispute, with the dispute it belongs to
{{ config(materialized='view') }}
with listed as (
    select
        dispute_id,
        balance_transaction_id,
        amount_cents,
        fee_cents,
        currency,
        created_at
    from {{ ref('stg_stripe__dispute_balance_transactions') }}
),

-- A dispute's own list can lag behind the balance: rows seen only on the balance count as well.
unlisted as (
    select
        movements.source_object_id as dispute_id,
        movements.balance_transaction_id,
        movements.amount_cents,
        movements.fee_cents,
        movements.currency,
        movements.created_at
    from {{ ref('stg_stripe__balance_transactions') }} as movements
    left join listed
        on movements.balance_transaction_id = listed.balance_transaction_id
    where
        movements.is_platform
        and movements.reporting_category in ('dispute', 'dispute_reversal')
        and listed.balance_transaction_id is null
),

final as (
    select
        movements.*,
        disputes.charge_id,
        disputes.dispute_status
    from (
        select * from listed
        union all
        select * from unlisted
    ) as movements
    left join {{ ref('stg_stripe__disputes') }} as disputes
        on movements.dispute_id = disputes.dispute_id
    left join {{ ref('int_erased_movements') }} as erased
        on movements.balance_transaction_id = erased.balance_transaction_id
    where
        coalesce(disputes.is_platform, true)
        and erased.balance_transaction_id is null
)

select *
from final
