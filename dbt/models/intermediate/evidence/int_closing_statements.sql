-- grain: one party's statement that closed its month in its currency: the first that verified; a later one restates it
with ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, party_id, period, currency
            order by
                case when verdict = 'mismatch' then 1 else 0 end asc nulls last,
                generated_at asc nulls last,
                artifact_id asc nulls last
        ) as statement_rank
    from {{ ref('stg_kernel__party_statements') }}
),

final as (
    select *
    from ranked
    where statement_rank = 1
)

select *
from final
