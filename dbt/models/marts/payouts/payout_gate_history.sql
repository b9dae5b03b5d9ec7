-- grain: one evaluation of one payout instruction
{{ config(tags=['acts']) }}
with ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, payout_key, run_id
            order by received_at desc nulls last, decision_sha256 desc nulls last
        ) as latest_rank
    from {{ ref('stg_tieout__gate_evaluations') }}
),

final as (
    select
        tenant_id,
        payout_key,
        run_id,
        decision,
        first_code,
        held_codes as codes,
        kernel_code,
        as_of,
        decision_sha256,
        packet_sha256
    from ranked
    where latest_rank = 1
)

select *
from final
