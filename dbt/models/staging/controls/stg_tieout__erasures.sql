-- grain: one operator line of the book of erasures
with
{{ latest_landed('tieout', 'erasures', key=['seq']) }},

final as (
    select
        seq,
        act_id as erasure_id,
        action,
        tenant_id,
        open_items,
        expires_at,
        batches,
        row_count,
        operator,
        reason,
        line_status,
        void_code,
        line_sha256,
        latest.at as occurred_at
    from latest
)

select *
from final
