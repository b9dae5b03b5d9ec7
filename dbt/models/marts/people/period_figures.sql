-- grain: one figure of a tenant's period and currency, beside what stands certified
with open_figures as (
    select
        figures.tenant_id,
        figures.period,
        figures.currency,
        figures.figure,
        figures.amount_cents
    from {{ ref('int_period_figures') }} as figures
    left join {{ ref('int_certified_figures') }} as certified
        on
            figures.tenant_id = certified.tenant_id
            and figures.period = certified.period
            and figures.currency = certified.currency
            and figures.figure = certified.figure
    where certified.certification_id is null
),

final as (
    select
        tenant_id,
        period,
        currency,
        figure,
        amount_cents,
        certification_id,
        certified_cents,
        amount_cents <> certified_cents as is_restated
    from {{ ref('int_certified_figures') }}

    union all

    select
        tenant_id,
        period,
        currency,
        figure,
        amount_cents,
        cast(null as {{ dbt.type_string() }}) as certification_id,
        cast(null as bigint) as certified_cents,
        false as is_restated
    from open_figures
)

select *
from final
