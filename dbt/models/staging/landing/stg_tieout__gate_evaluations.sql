-- grain: one gate evaluation
with
{{ all_landed('tieout', 'gate_evaluations') }},

final as (
    select
        run_id,
        tenant_id,
        payout_key,
        decision,
        first_code,
        held_codes,
        kernel_code,
        as_of,
        decision_sha256,
        packet_sha256,
        received_at
    from latest
)

select *
from final
