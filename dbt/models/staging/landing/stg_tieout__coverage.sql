-- grain: one slice of an endpoint in one pull
with
{{ all_landed('tieout', 'coverage') }},

final as (
    select
        pull_id,
        source,
        account_id,
        is_platform,
        tenant_id,
        endpoint,
        slice_from,
        slice_to,
        purpose,
        status as coverage_status,
        rows_read,
        rows_landed,
        amount_sum_cents,
        error_code,
        error_detail,
        started_at,
        finished_at
    from latest
)

select *
from final
