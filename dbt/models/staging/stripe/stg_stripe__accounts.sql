-- grain: one connected account
with
{{ latest_landed('stripe', 'accounts', key=['id']) }},

final as (
    select
        id as account_id,
        country,
        upper(default_currency) as default_currency,
        type as account_type,
        charges_enabled,
        payouts_enabled,
        details_submitted,
        capability_transfers,
        disabled_reason,
        currently_due_count,
        past_due_count,
        pending_verification_count,
        losses_payments,
        payouts_interval,
        received_at as read_at,
        created as created_at
    from latest
)

select *
from final
