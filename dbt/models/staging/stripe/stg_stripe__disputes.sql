-- grain: one dispute of a charge
with
{{ latest_landed('stripe', 'disputes', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        is_platform,
        id as dispute_id,
        charge as charge_id,
        amount as amount_cents,
        upper(currency) as currency,
        status as dispute_status,
        reason as dispute_reason,
        case_type,
        is_charge_refundable,
        due_by,
        livemode,
        created as created_at
    from latest
)

select *
from final
