-- grain: one general-ledger line of the batch that closed its month: the first that verified
with ranked as (
    select
        tenant_id,
        artifact_id,
        row_number() over (
            partition by tenant_id, period
            order by
                case when verdict = 'mismatch' then 1 else 0 end asc nulls last,
                generated_at asc nulls last,
                artifact_id asc nulls last
        ) as batch_rank
    from {{ ref('stg_kernel__gl_batches') }}
),

final as (
    select lines.*
    from {{ ref('stg_kernel__gl_lines') }} as lines
    inner join ranked
        on
            lines.tenant_id = ranked.tenant_id
            and lines.artifact_id = ranked.artifact_id
    where ranked.batch_rank = 1
)

select *
from final
