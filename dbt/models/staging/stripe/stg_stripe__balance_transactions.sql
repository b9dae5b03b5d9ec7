-- grain: one balance transaction of one account
{{ carry_landing('stripe', 'balance_transactions', key=['account_id', 'id'], named={'id': 'balance_transaction_id'}) }}
with
{{ latest_landed('stripe', 'balance_transactions', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        is_platform,
        id as balance_transaction_id,
        type as balance_transaction_type,
        reporting_category,
        -- A row from a report has none; activity reports are of the payments balance alone.
        coalesce(balance_type, 'payments') as balance_type,
        source as source_object_id,
        amount as amount_cents,
        fee as fee_cents,
        net as net_cents,
        upper(currency) as currency,
        exchange_rate_text,
        created as created_at,
        available_on
    from latest
)

select *
from final
