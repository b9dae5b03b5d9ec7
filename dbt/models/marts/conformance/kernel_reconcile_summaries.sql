-- grain: one tenant, month and provider for which the original could reconcile: there is a usable instruction
with expected as (
    select
        tenant_id,
        period,
        provider_id,
        count(*) as expected_payout_count,
        -- A sum that no report can say stays one: it may not overflow, which would stop every tenant's build.
        cast(least(sum(cast(amount_cents as decimal(38, 0))), 9007199254740992) as bigint) as expected_payout_amount_cents,
        count(case when is_matched then 1 end) as matched_count,
        count(case when operation_state = 'confirmed' then 1 end) as settled_count,
        count(case when operation_state in ('initiated', 'submitted') then 1 end) as in_flight_count,
        count(case when operation_state = 'cancelled' then 1 end) as cancelled_count
    from {{ ref('int_kernel_matched_payouts') }}
    group by tenant_id, period, provider_id
),

operations as (
    select
        tenant_id,
        period,
        provider_id,
        count(*) as operation_count,
        count(case when operation_state = 'initiated' then 1 end) as initiated_operations,
        count(case when operation_state = 'submitted' then 1 end) as submitted_operations,
        count(case when operation_state = 'confirmed' then 1 end) as confirmed_operations,
        count(case when operation_state = 'failed' then 1 end) as failed_operations,
        count(case when operation_state = 'cancelled' then 1 end) as cancelled_operations,
        count(case when operation_state = 'reversed' then 1 end) as reversed_operations
    from {{ ref('int_kernel_rail_operations') }}
    group by tenant_id, period, provider_id
),

final as (
    select
        expected.tenant_id,
        expected.period,
        expected.provider_id,
        expected.expected_payout_count,
        expected.expected_payout_amount_cents,
        coalesce(operations.operation_count, 0) as operation_count,
        expected.matched_count,
        expected.settled_count,
        expected.in_flight_count,
        expected.cancelled_count,
        coalesce(operations.initiated_operations, 0) as initiated_operations,
        coalesce(operations.submitted_operations, 0) as submitted_operations,
        coalesce(operations.confirmed_operations, 0) as confirmed_operations,
        coalesce(operations.failed_operations, 0) as failed_operations,
        coalesce(operations.cancelled_operations, 0) as cancelled_operations,
        coalesce(operations.reversed_operations, 0) as reversed_operations
    from expected
    left join operations
        on
            expected.tenant_id = operations.tenant_id
            and expected.period = operations.period
            and expected.provider_id = operations.provider_id
)

select *
from final
