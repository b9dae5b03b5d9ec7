-- grain: one balance transaction whose fee has lines
{{ config(materialized='view') }}
select
    account_id,
    balance_transaction_id,
    {{ sum_cents('fee_cents') }} as fee_lines_cents
from {{ ref('stg_stripe__balance_transaction_fees') }}
group by account_id, balance_transaction_id
