-- grain: one item of one publication, those it called resolved included
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
        coalesce(lifecycle, 'persisting') as lifecycle,
        expected_cents,
        actual_cents,
        drift_cents,
        currency,
        period,
        party_id,
        kernel_object_id,
        rail_object_id,
        payout_key,
        expected_by,
        item_kind,
        opened_at,
        open_cents,
        matched_cents,
        first_seen_at,
        source_complete,
        received_at
    from latest
)

select *
from final
