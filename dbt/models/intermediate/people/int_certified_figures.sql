-- grain: one figure of a period with a standing certification: what was certified and what is there now
with standing as (
    select
        tenant_id,
        period,
        certification_id,
        certified_at
    from {{ ref('int_certifications') }}
    where is_standing
),

certified as (
    select
        figures.tenant_id,
        figures.period,
        figures.currency,
        figures.figure,
        figures.amount_cents
    from {{ ref('stg_tieout__certified_figures') }} as figures
    inner join standing
        on
            figures.certification_id = standing.certification_id
            and figures.tenant_id = standing.tenant_id
            and figures.period = standing.period
),

keys as (
    select
        tenant_id,
        period,
        currency,
        figure
    from {{ ref('int_period_figures') }}

    union distinct

    select
        tenant_id,
        period,
        currency,
        figure
    from certified
),

final as (
    select
        keys.tenant_id,
        keys.period,
        keys.currency,
        keys.figure,
        standing.certification_id,
        standing.certified_at,
        coalesce(certified.amount_cents, 0) as certified_cents,
        coalesce(figures.amount_cents, 0) as amount_cents
    from keys
    inner join standing
        on
            keys.tenant_id = standing.tenant_id
            and keys.period = standing.period
    left join {{ ref('int_period_figures') }} as figures
        on
            keys.tenant_id = figures.tenant_id
            and keys.period = figures.period
            and keys.currency = figures.currency
            and keys.figure = figures.figure
    left join certified
        on
            keys.tenant_id = certified.tenant_id
            and keys.period = certified.period
            and keys.currency = certified.currency
            and keys.figure = certified.figure
)

select *
from final
