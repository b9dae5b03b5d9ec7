-- grain: one open item of one publication
with
{{ all_landed('tieout', 'breaks') }},

final as (
    select
        run_id,
        as_of,
        tenant_id,
        break_id,
        outcome,
        reason_code,
        drift_cents,
        currency,
        period,
        party_id,
        first_seen_at,
        source_complete,
        received_at
    from latest
)

select *
from final
