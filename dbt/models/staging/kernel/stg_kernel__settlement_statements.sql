-- grain: one settlement statement of a job
with
{{ first_landed('kernel', 'settlement_statements', key=['tenant_id', 'artifact_id']) }},

final as (
    select
        tenant_id,
        artifact_id,
        job_id,
        quote_amount_cents,
        currency,
        source_event_id,
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
