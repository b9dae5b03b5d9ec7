-- grain: one balance transaction with its object, the scope of its category and the charge or transfer behind it
with dispute_rows as (
    select
        account_id,
        balance_transaction_id,
        min(dispute_id) as dispute_id
    from {{ ref('stg_stripe__dispute_balance_transactions') }}
    group by account_id, balance_transaction_id
),

sourced as (
    select
        transactions.*,
        coalesce(transactions.source_object_id, dispute_rows.dispute_id) as object_id
    from {{ ref('stg_stripe__balance_transactions') }} as transactions
    left join dispute_rows
        on
            transactions.account_id = dispute_rows.account_id
            and transactions.balance_transaction_id = dispute_rows.balance_transaction_id
),

final as (
    select
        sourced.account_id || ':' || sourced.balance_transaction_id as movement_id,
        sourced.account_id,
        sourced.is_platform,
        sourced.balance_transaction_id,
        sourced.reporting_category,
        coalesce(scopes.movement_type, 'unmapped') as movement_type,
        coalesce(scopes.scope, 'unmapped') as scope,
        sourced.object_id,
        objects.object_type,
        objects.charge_id,
        objects.transfer_id,
        objects.object_amount_cents,
        objects.object_currency,
        objects.expected_sign,
        sourced.amount_cents,
        sourced.fee_cents,
        sourced.net_cents,
        sourced.currency,
        sourced.created_at as occurred_at,
        sourced.available_on,
        coalesce(fees.fee_lines_cents, sourced.fee_cents) as explained_fee_cents,
        sourced.net_cents - sourced.amount_cents
        + coalesce(fees.fee_lines_cents, sourced.fee_cents) as fee_variance_cents,
        objects.object_id is not null
        and objects.expected_sign <> 0
        and scopes.movement_type in ('collection', 'payout', 'payout_reversal', 'refund', 'bank_payout', 'topup')
        and objects.expected_sign * sourced.amount_cents < 0 as has_sign_mismatch
    from sourced
    left join {{ ref('movement_scope') }} as scopes
        on sourced.reporting_category = scopes.reporting_category
    left join {{ ref('int_rail_objects') }} as objects
        on
            sourced.account_id = objects.account_id
            and sourced.object_id = objects.object_id
    left join {{ ref('int_movement_fees') }} as fees
        on
            sourced.account_id = fees.account_id
            and sourced.balance_transaction_id = fees.balance_transaction_id
)

select *
from final
