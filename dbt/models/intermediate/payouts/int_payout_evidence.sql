-- grain: one tenant: how fresh and how complete the evidence behind its payouts is
{{ config(materialized='view') }}
with tenants as (
    select distinct tenant_id
    from {{ ref('int_payout_subjects') }}
),

final as (
    select
        tenants.tenant_id,
        run.as_of,
        run.evidence_stale_minutes,
        completeness.stripe_read_until,
        manifests.exported_through,
        least(completeness.stripe_read_until, manifests.exported_through) as evidence_at,
        coalesce(
            run.as_of > {{ add_minutes('completeness.stripe_read_until', 'run.evidence_stale_minutes') }}
            or run.as_of > {{ add_minutes('manifests.exported_through', 'run.evidence_stale_minutes') }},
            true
        ) as is_stale,
        -- Of the platform alone: what an account holds back concerns its own party.
        coalesce(rail.stripe_complete, false) as is_stripe_complete,
        coalesce(completeness.kernel_complete, false) as is_kernel_complete,
        coalesce(manifests.manifest_status, 'missing') as manifest_status
    from tenants
    cross join {{ ref('stg_tieout__run') }} as run
    left join {{ ref('int_source_completeness') }} as completeness
        on tenants.tenant_id = completeness.tenant_id
    left join {{ ref('int_source_completeness') }} as rail
        on rail.tenant_id = '_platform'
    left join {{ ref('stg_kernel__export_manifests') }} as manifests
        on tenants.tenant_id = manifests.tenant_id
)

select *
from final
