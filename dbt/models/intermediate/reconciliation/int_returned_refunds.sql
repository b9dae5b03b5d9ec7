-- grain: one refund that came back in full: as if it had never left, so the customer still has to be refunded
{{ config(materialized='carried', carried_key=['account_id', 'refund_id']) }}
with final as (
    select
        account_id,
        object_id as refund_id
    from {{ ref('int_movements_linked') }}
    where
        is_platform
        and object_type = 'refund'
        and movement_type in ('refund', 'refund_failure')
        and not is_repeat
    group by account_id, object_id
    having
        count(*) > 1
        and sum(amount_cents) = 0
)

select *
from final
