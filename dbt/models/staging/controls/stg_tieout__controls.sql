-- grain: one operator line
with
{{ latest_landed('tieout', 'controls', key=['seq']) }},

final as (
    select
        seq,
        tenant_id,
        provider_id,
        field,
        value,
        action,
        operator,
        second_operator,
        reason,
        line_status,
        void_code,
        latest.at as occurred_at
    from latest
)

select *
from final
