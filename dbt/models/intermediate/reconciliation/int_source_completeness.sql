-- grain: one tenant, the rail's own included: whether what was read lets absence mean anything
with run as (
    select *
    from {{ ref('stg_tieout__run') }}
),

tenants as (
    select distinct tenant_id
    from {{ ref('stg_kernel__export_manifests') }}

    union distinct

    select distinct tenant_id
    from {{ ref('int_account_owners') }}

    union distinct

    select '_platform' as tenant_id
    from run
),

platform as (
    select
        count(*) > 0
        and count(case when not is_complete then 1 end) = 0 as is_complete,
        max(read_until) as read_until
    from {{ ref('int_account_completeness') }}
    where is_platform
),

-- An account that two tenants claim stands behind both.
tenant_accounts as (
    select
        claims.tenant_id,
        count(case when not accounts.is_complete then 1 end) as open_accounts
    from {{ ref('stg_kernel__connect_accounts') }} as claims
    inner join {{ ref('int_account_completeness') }} as accounts
        on claims.account_id = accounts.account_id
    where not accounts.is_platform
    group by claims.tenant_id
),

newest_export as (
    select
        tenant_id,
        max(started_at) as started_at
    from {{ ref('stg_tieout__coverage') }}
    where source = 'kernel'
    group by tenant_id
),

export_slices as (
    select
        coverage.tenant_id,
        count(case when coverage.coverage_status <> 'complete' then 1 end) as open_slices
    from {{ ref('stg_tieout__coverage') }} as coverage
    inner join newest_export
        on
            coverage.tenant_id = newest_export.tenant_id
            and coverage.started_at = newest_export.started_at
    where coverage.source = 'kernel'
    group by coverage.tenant_id
),

mismatched as (
    select
        tenant_id,
        count(case when verdict = 'mismatch' then 1 end) as mismatched_artifacts
    from {{ ref('stg_kernel__artifact_verdicts') }}
    group by tenant_id
),

final as (
    select
        tenants.tenant_id,
        platform.is_complete
        and coalesce(tenant_accounts.open_accounts, 0) = 0 as stripe_complete,
        -- Said in each tenant's own row, because its packet shows no row of the platform's.
        coalesce(platform.is_complete, false) as rail_complete,
        tenants.tenant_id = '_platform'
        or (
            export_slices.tenant_id is not null
            and export_slices.open_slices = 0
        ) as kernel_complete,
        tenants.tenant_id = '_platform'
        or (
            coalesce(manifests.manifest_status, 'missing') = 'trusted'
            and coalesce(mismatched.mismatched_artifacts, 0) = 0
        ) as kernel_verified,
        manifests.exported_through,
        platform.read_until as stripe_read_until
    from tenants
    cross join platform
    left join tenant_accounts
        on tenants.tenant_id = tenant_accounts.tenant_id
    left join export_slices
        on tenants.tenant_id = export_slices.tenant_id
    left join mismatched
        on tenants.tenant_id = mismatched.tenant_id
    left join {{ ref('stg_kernel__export_manifests') }} as manifests
        on tenants.tenant_id = manifests.tenant_id
)

select *
from final
