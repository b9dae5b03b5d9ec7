-- grain: one operator line of the book of departures
with
{{ latest_landed('tieout', 'departures', key=['seq']) }},

final as (
    select
        seq,
        act_id as departure_id,
        action,
        tenant_id,
        account_id,
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
