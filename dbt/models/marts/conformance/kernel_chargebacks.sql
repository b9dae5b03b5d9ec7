-- grain: one party that the original lists, of one provider, in one view: all time (`all`) or one month
with final as (
    select
        tenant_id,
        provider_id,
        query_period as period,
        party_id,
        outstanding_cents,
        reversed_cents,
        recovered_cents,
        reversed_count,
        recovery_count,
        latest_reversed_at,
        kernel_status
    from {{ ref('int_kernel_exposure') }}
    where is_listed
)

select *
from final
