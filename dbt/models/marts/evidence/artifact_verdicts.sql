-- grain: one rule checked on one kernel artifact, or one input that could not be read as one; a rule between
-- artifacts has a row only where it is broken
with artifacts as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        'content' as rule,
        period,
        verdict,
        case when verdict = 'mismatch' then coalesce(verdict_code, 'hash_mismatch') else verdict_code end as code,
        expected,
        got,
        signature_status,
        manifest_status,
        cast(null as {{ dbt.type_string() }}) as remedy
    from {{ ref('stg_kernel__artifact_verdicts') }}
),

bindings as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        rule,
        period,
        verdict,
        code,
        expected,
        got,
        cast(null as {{ dbt.type_string() }}) as signature_status,
        cast(null as {{ dbt.type_string() }}) as manifest_status,
        case verdict
            when 'conflict' then 'Keep the first content: ask the kernel why it wrote the id twice'
            when 'explained' then 'Nothing: the kernel settles the holdback of a run without them'
            else 'Do not pay on it: ask the kernel for the artifact that belongs here'
        end as remedy
    from {{ ref('int_artifact_faults') }}
    where rule <> 'content'
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

-- Artifacts that do not verify are landed and stand above, each under its own id.
mismatched as (
    select distinct
        tenant_id,
        artifact_type,
        artifact_id
    from {{ ref('stg_kernel__artifact_contents') }}
    where verdict = 'mismatch'
),

refused as (
    select
        coalesce(placed.tenant_id, '_platform') as tenant_id,
        placed.table_name as artifact_type,
        placed.artifact_id,
        'line' as rule,
        cast(null as {{ dbt.type_string() }}) as period,
        'refused' as verdict,
        min(placed.quarantine_code) as code,
        cast(null as {{ dbt.type_string() }}) as expected,
        min(placed.detail) as got,
        cast(null as {{ dbt.type_string() }}) as signature_status,
        cast(null as {{ dbt.type_string() }}) as manifest_status,
        min(placed.remedy) as remedy
    from placed
    left join mismatched
        on
            placed.source = 'kernel'
            and placed.tenant_id = mismatched.tenant_id
            and placed.table_name = mismatched.artifact_type
            and placed.object_key = mismatched.artifact_id
    where
        mismatched.artifact_id is null
        or placed.quarantine_code like 'json%'
        or placed.quarantine_code like 'field%'
        or placed.quarantine_code in ('tenant_mismatch', 'schema_mismatch')
    group by
        coalesce(placed.tenant_id, '_platform'),
        placed.table_name,
        placed.artifact_id
),

final as (
    select * from artifacts
    union all
    select * from bindings
    union all
    select * from refused
)

select *
from final
