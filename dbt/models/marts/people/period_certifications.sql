-- grain: one proposed certification of a tenant's period, and whether late data has undone it
{{ config(tags=['acts']) }}
with restated as (
    select
        certification_id,
        min(as_of) as decertified_at
    from {{ ref('stg_tieout__restatements') }}
    group by certification_id
),

final as (
    select
        certifications.tenant_id,
        certifications.period,
        certifications.certification_id,
        certifications.prepared_by,
        certifications.prepared_at,
        certifications.approved_by,
        certifications.certified_at,
        certifications.verdict,
        certifications.packet_sha256,
        certifications.figures_sha256,
        certifications.run_id,
        certifications.reason,
        -- A figure that returns to its certified value does not certify the period again.
        case
            when certifications.certification_status = 'approved' and restated.certification_id is not null then 'decertified'
            when certifications.certification_status = 'approved' then 'certified'
            else certifications.certification_status
        end as certification_status,
        certifications.void_code,
        restated.decertified_at,
        certifications.revoked_by,
        certifications.revoked_at
    from {{ ref('int_certifications') }} as certifications
    left join restated
        on certifications.certification_id = restated.certification_id
)

select *
from final
