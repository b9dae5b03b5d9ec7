-- grain: one tenant and one imported report of which rows were refused, that no later import has made good
with reports as (
    select
        pull_id,
        account_id,
        is_platform,
        endpoint,
        slice_from,
        slice_to,
        coverage_status,
        started_at
    from {{ ref('stg_tieout__coverage') }}
    where source = 'stripe_report'
),

refused as (
    select distinct
        reports.pull_id,
        reports.account_id,
        reports.is_platform
    from reports
    left join reports as later
        on
            reports.account_id = later.account_id
            and reports.endpoint = later.endpoint
            and later.coverage_status = 'complete'
            and later.started_at > reports.started_at
            and later.slice_from <= reports.slice_from
            and later.slice_to >= reports.slice_to
    where
        reports.coverage_status <> 'complete'
        and later.pull_id is null
),

-- What the platform's report holds bears on every tenant, an account's on whoever claims the account.
final as (
    select
        tenants.tenant_id,
        refused.pull_id
    from {{ ref('int_source_completeness') }} as tenants
    cross join refused
    where refused.is_platform

    union distinct

    select
        claims.tenant_id,
        refused.pull_id
    from {{ ref('stg_kernel__connect_accounts') }} as claims
    inner join refused
        on claims.account_id = refused.account_id
    where not refused.is_platform
)

select *
from final
