-- grain: one step that a delivery claims for an operation, as it stands now
with
{{ latest_landed('tieout', 'provider_events', key=['tenant_id', 'provider_id', 'dedupe_key', 'event_type']) }},

final as (
    select
        tenant_id,
        provider_id,
        dedupe_key,
        operation_id,
        event_type,
        event_id,
        occurred_at,
        provider_ref,
        reason_code,
        delivered_at,
        status as delivery_status,
        state_before,
        state_after,
        code as delivery_code,
        detail
    from latest
)

select *
from final
