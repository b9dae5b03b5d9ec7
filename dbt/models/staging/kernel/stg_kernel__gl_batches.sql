-- grain: one general-ledger batch of a month
with
{{ first_landed('kernel', 'gl_batches', key=['tenant_id', 'artifact_id']) }},

final as (
    select
        tenant_id,
        artifact_id,
        period,
        basis,
        total_cents,
        generated_at,
        artifact_hash,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from original
)

select *
from final
