-- grain: one month of a tenant
with
{{ latest_landed('kernel', 'month_closes', key=['tenant_id', 'period'], newest_first=['closed_at']) }},

final as (
    select
        tenant_id,
        period,
        status as close_status,
        closed_at,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
