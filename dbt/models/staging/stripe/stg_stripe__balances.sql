-- grain: one balance bucket of an account at one reading
with
{{ all_landed('stripe', 'balances') }},

final as (
    select
        account_id,
        is_platform,
        snapshot,
        balance_type,
        upper(currency) as currency,
        bucket,
        amount as amount_cents,
        taken_at,
        livemode,
        received_at
    from latest
)

select *
from final
