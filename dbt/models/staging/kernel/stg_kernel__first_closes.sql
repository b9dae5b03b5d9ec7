-- grain: one month of a tenant that its kernel closed: when it first did, and when that was first known here
with
{{ all_landed('kernel', 'month_closes') }},

final as (
    select
        tenant_id,
        period,
        min(closed_at) as closed_at,
        min(received_at) as received_at
    from latest
    where status = 'CLOSED'
    group by tenant_id, period
)

select *
from final
