-- Every balance transaction of every account is exactly one movement, with the same net.
select
    transactions.account_id,
    transactions.balance_transaction_id,
    transactions.net_cents,
    movements.net_cents as movement_net_cents
from {{ ref('stg_stripe__balance_transactions') }} as transactions
full outer join {{ ref('money_movements') }} as movements
    on transactions.account_id || ':' || transactions.balance_transaction_id = movements.movement_id
where
    transactions.net_cents is null
    or movements.net_cents is null
    or transactions.net_cents <> movements.net_cents
