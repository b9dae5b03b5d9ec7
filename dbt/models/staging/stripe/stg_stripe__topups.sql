-- grain: one top-up of a balance
with
{{ latest_landed('stripe', 'topups', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        is_platform,
        id as topup_id,
        amount as amount_cents,
        upper(currency) as currency,
        status as topup_status,
        balance_transaction as balance_transaction_id,
        created as created_at
    from latest
)

select *
from final
