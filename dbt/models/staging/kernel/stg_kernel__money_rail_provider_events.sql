-- grain: one provider event
with
{{ first_landed('kernel', 'money_rail_provider_events', key=['tenant_id', 'provider_id', 'operation_id', 'event_type', 'event_id']) }},

final as (
    select
        tenant_id,
        provider_id,
        operation_id,
        event_type,
        event_id,
        original.at as occurred_at,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from original
)

select *
from final
