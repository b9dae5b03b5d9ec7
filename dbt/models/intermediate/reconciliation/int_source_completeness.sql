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

newest_stripe_pull as (
    select max(started_at) as started_at
    from {{ ref('stg_tieout__coverage') }}
    where source = 'stripe'
),

pull_of_it as (
    select max(coverage.pull_id) as pull_id
    from {{ ref('stg_tieout__coverage') }} as coverage
    inner join newest_stripe_pull
        on coverage.started_at = newest_stripe_pull.started_at
    where coverage.source = 'stripe'
),

slices as (
    select
        coverage.account_id,
        owners.tenant_id,
        coverage.coverage_status,
        coverage.finished_at
    from {{ ref('stg_tieout__coverage') }} as coverage
    inner join pull_of_it
        on coverage.pull_id = pull_of_it.pull_id
    left join {{ ref('int_account_owners') }} as owners
        on coverage.account_id = owners.account_id
),

platform_slices as (
    select
        count(*) as slices,
        count(case when coverage_status <> 'complete' then 1 end) as open_slices,
        max(finished_at) as read_until
    from slices
    where tenant_id is null
),

tenant_slices as (
    select
        tenant_id,
        count(case when coverage_status <> 'complete' then 1 end) as open_slices
    from slices
    where tenant_id is not null
    group by tenant_id
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
        platform_slices.slices > 0
        and platform_slices.open_slices = 0
        and coalesce(tenant_slices.open_slices, 0) = 0 as stripe_complete,
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
        platform_slices.read_until as stripe_read_until
    from tenants
    cross join platform_slices
    left join tenant_slices
        on tenants.tenant_id = tenant_slices.tenant_id
    left join export_slices
        on tenants.tenant_id = export_slices.tenant_id
    left join mismatched
        on tenants.tenant_id = mismatched.tenant_id
    left join {{ ref('stg_kernel__export_manifests') }} as manifests
        on tenants.tenant_id = manifests.tenant_id
)

select *
from final
