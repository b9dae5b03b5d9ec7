-- grain: one tenant: debt that reaches none of its parties, on its own charges or on contested ones
{{ config(materialized='view') }}
with final as (
    select
        tenant_id,
        {{ sum_cents('outstanding_cents') }} as outstanding_cents
    from (
        select
            tenant_id,
            outstanding_cents
        from {{ ref('int_exposure_totals') }}
        where party_id is null

        union all

        select
            tenant_id,
            outstanding_cents
        from {{ ref('int_exposure_contested') }}
    ) as unowned
    group by tenant_id
)

select *
from final
