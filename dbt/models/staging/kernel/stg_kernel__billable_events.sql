-- grain: one billable event
with
{{ latest_landed('kernel', 'billable_events', key=['tenant_id', 'event_id']) }},

final as (
    select
        tenant_id,
        event_id,
        event_type,
        quantity,
        amount_cents,
        currency,
        period,
        latest.at as occurred_at,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
