-- grain: one immutable artifact of which several contents verified: the alert for the same id with another hash
with contents as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        got as content_hash,
        min(period) as period,
        min(received_at) as first_received_at,
        min(occurrence) as first_occurrence
    from {{ ref('stg_kernel__artifact_contents') }}
    where verdict = 'verified'
    group by tenant_id, artifact_type, artifact_id, got
),

several as (
    select
        tenant_id,
        artifact_type,
        artifact_id
    from contents
    group by tenant_id, artifact_type, artifact_id
    having count(*) > 1
),

ranked as (
    select
        contents.*,
        row_number() over (
            partition by contents.tenant_id, contents.artifact_type, contents.artifact_id
            order by
                contents.first_received_at asc nulls last,
                contents.first_occurrence asc nulls last,
                contents.content_hash asc nulls last
        ) as content_rank
    from contents
    inner join several
        on
            contents.tenant_id = several.tenant_id
            and contents.artifact_type = several.artifact_type
            and contents.artifact_id = several.artifact_id
),

final as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        min(period) as period,
        'artifact_id_reused' as code,
        max(case when content_rank = 1 then content_hash end) as expected,
        max(case when content_rank = 2 then content_hash end) as got
    from ranked
    group by tenant_id, artifact_type, artifact_id
)

select *
from final
