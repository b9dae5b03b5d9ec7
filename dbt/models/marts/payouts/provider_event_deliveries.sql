-- grain: one step that a provider's delivery claims for an operation, as it stands now
select
    tenant_id,
    provider_id,
    dedupe_key,
    event_type,
    event_id,
    operation_id,
    provider_ref,
    delivery_status,
    delivery_code,
    detail,
    state_before,
    state_after,
    reason_code,
    occurred_at,
    delivered_at
from {{ ref('stg_tieout__provider_events') }}
