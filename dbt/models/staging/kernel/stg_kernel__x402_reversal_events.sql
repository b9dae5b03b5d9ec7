-- grain: one x402 reversal event
with
{{ first_landed('kernel', 'x402_reversal_events', key=['tenant_id', 'event_id']) }},

final as (
    select
        tenant_id,
        event_id,
        gate_id,
        receipt_id,
        action as reversal_action,
        event_type,
        occurred_at,
        event_hash,
        received_at
    from original
)

select *
from final
