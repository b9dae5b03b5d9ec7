-- grain: one general-ledger line of the batch that closed its month in its currency: the first that verified
with currencies as (
    select
        tenant_id,
        artifact_id,
        min(currency) as currency
    from {{ ref('stg_kernel__gl_lines') }}
    group by tenant_id, artifact_id
),

ranked as (
    select
        batches.tenant_id,
        batches.artifact_id,
        row_number() over (
            partition by batches.tenant_id, batches.period, currencies.currency
            order by
                case when batches.verdict = 'mismatch' then 1 else 0 end asc nulls last,
                batches.generated_at asc nulls last,
                batches.artifact_id asc nulls last
        ) as batch_rank
    from {{ ref('stg_kernel__gl_batches') }} as batches
    inner join currencies
        on
            batches.tenant_id = currencies.tenant_id
            and batches.artifact_id = currencies.artifact_id
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
