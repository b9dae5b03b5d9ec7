-- grain: one event
with
{{ latest_landed('stripe', 'events', key=['account_id', 'id']) }},

final as (
    select
        account_id,
        id as event_id,
        type as event_type,
        object_id,
        object_type,
        account as event_account_id,
        created as created_at
    from latest
)

select *
from final
