-- grain: one tenant, currency, month opened and month cleared of one publication
with
{{ all_landed('tieout', 'matched_spans') }},

final as (
    select
        run_id,
        as_of,
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        amount_cents,
        items
    from latest
)

select *
from final
