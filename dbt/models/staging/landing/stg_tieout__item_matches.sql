-- grain: one moment at which an item of one publication had found its other side
with
{{ all_landed('tieout', 'item_matches') }},

final as (
    select
        run_id,
        as_of,
        tenant_id,
        break_id,
        matched_at,
        matched_cents
    from latest
)

select *
from final
