-- grain: one calendar month of this century up to the run's
with digits as (
    select 0 as digit
    union all
    select 1
    union all
    select 2
    union all
    select 3
    union all
    select 4
    union all
    select 5
    union all
    select 6
    union all
    select 7
    union all
    select 8
    union all
    select 9
),

numbered as (
    select
        2000 + 10 * tens.digit + ones.digit as year_number,
        10 * dozens.digit + months.digit as month_number
    from digits as tens
    cross join digits as ones
    cross join digits as dozens
    cross join digits as months
),

named as (
    select
        cast(year_number as {{ dbt.type_string() }}) || '-' || substr(cast(100 + month_number as {{ dbt.type_string() }}), 2) as period
    from numbered
    where month_number between 1 and 12
),

final as (
    select named.period
    from named
    cross join {{ ref('stg_tieout__run') }} as run
    where named.period <= {{ period_of('run.as_of') }}
)

select *
from final
