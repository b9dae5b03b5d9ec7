-- grain: one certified figure that a publication found changed
with
{{ all_landed('tieout', 'restatements') }},

final as (
    select
        certification_id,
        tenant_id,
        period,
        currency,
        figure,
        certified_cents,
        restated_cents,
        run_id,
        as_of
    from latest
)

select *
from final
