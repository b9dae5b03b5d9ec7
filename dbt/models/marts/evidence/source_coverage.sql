-- grain: one slice of a source in one pull: what was asked and what came back
with final as (
    select
        coalesce(coverage.tenant_id, owners.tenant_id, '_platform') as tenant_id,
        coverage.pull_id,
        coverage.source,
        coalesce(coverage.account_id, 'none') as account_id,
        coverage.endpoint,
        coalesce(coverage.slice_from, cast('1970-01-01 00:00:00' as {{ dbt.type_timestamp() }})) as slice_from,
        coverage.slice_to,
        coverage.purpose,
        coverage.coverage_status,
        coverage.rows_read,
        coverage.rows_landed,
        coverage.error_code,
        coverage.started_at,
        coverage.finished_at
    from {{ ref('stg_tieout__coverage') }} as coverage
    left join {{ ref('int_account_owners') }} as owners
        on coverage.account_id = owners.account_id
)

select *
from final
