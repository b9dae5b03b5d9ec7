-- grain: one kernel artifact, or one input that could not be read as one
with artifacts as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        verdict,
        verdict_code,
        expected as expected_value,
        got as got_value,
        manifest_status,
        cast(null as {{ dbt.type_string() }}) as remedy
    from {{ ref('stg_kernel__artifact_verdicts') }}
),

-- A line has its number; an object of a list, whose place moves, has its id.
placed as (
    select
        *,
        source_file || ':' || case
            when line_no = 0 and object_key is not null then object_key
            else cast(line_no as {{ dbt.type_string() }})
        end as artifact_id
    from {{ ref('stg_tieout__quarantine') }}
),

refused as (
    select
        coalesce(tenant_id, '_platform') as tenant_id,
        table_name as artifact_type,
        artifact_id,
        'refused' as verdict,
        min(quarantine_code) as verdict_code,
        cast(null as {{ dbt.type_string() }}) as expected_value,
        min(detail) as got_value,
        cast(null as {{ dbt.type_string() }}) as manifest_status,
        min(remedy) as remedy
    from placed
    where quarantine_code <> 'hash_mismatch'
    group by
        coalesce(tenant_id, '_platform'),
        table_name,
        artifact_id
),

final as (
    select * from artifacts
    union all
    select * from refused
)

select *
from final
