-- grain: one act, in the order of the hash chain
{{ config(tags=['acts']) }}
with final as (
    select
        tenant_id,
        seq,
        actor,
        action,
        subject,
        occurred_at as {{ adapter.quote('at') }},
        reason,
        before_text as {{ adapter.quote('before') }},
        after_text as {{ adapter.quote('after') }},
        prev_hash,
        entry_hash,
        chain_status
    from {{ ref('stg_tieout__audit_log') }}
)

select *
from final
