-- grain: one certified figure and one value that late data gave it
{{ config(tags=['acts']) }}
with final as (
    select
        tenant_id,
        period,
        certification_id,
        currency,
        figure,
        certified_cents as old_cents,
        restated_cents as new_cents,
        restated_cents - certified_cents as change_cents,
        'RESTATED' as reason_code,
        run_id,
        as_of as restated_at
    from {{ ref('stg_tieout__restatements') }}
)

select *
from final
