-- grain: one certified figure and one value that a publication found instead; every later one finds it again
with
{{ all_landed('tieout', 'restatements') }},

found as (
    select
        *,
        row_number() over (
            partition by certification_id, tenant_id, period, currency, figure, restated_cents
            order by
                as_of asc nulls last,
                run_id asc nulls last,
                row_no asc nulls last
        ) as place
    from latest
),

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
    from found
    where place = 1
)

select *
from final
