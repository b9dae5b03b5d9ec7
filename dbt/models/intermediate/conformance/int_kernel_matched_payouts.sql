-- grain: one expected payout of a month in the view of one provider, with that provider's operation if it has one
with expected as (
    select
        payouts.tenant_id,
        payouts.period,
        providers.provider_id,
        payouts.payout_key,
        payouts.operation_id,
        payouts.amount_cents,
        payouts.currency,
        payouts.party_id,
        payouts.artifact_id
    from {{ ref('int_kernel_expected_payouts') }} as payouts
    inner join {{ ref('kernel_providers') }} as providers
        on payouts.tenant_id = providers.tenant_id
    where payouts.expected_rank = 1
),

final as (
    select
        expected.*,
        operations.operation_id is not null as is_matched,
        operations.amount_cents as operation_amount_cents,
        operations.currency as operation_currency,
        operations.operation_state,
        operations.reason_code as operation_reason
    from expected
    left join {{ ref('int_kernel_rail_operations') }} as operations
        on
            expected.tenant_id = operations.tenant_id
            and expected.provider_id = operations.provider_id
            and expected.operation_id = operations.operation_id
            and expected.period = operations.period
)

select *
from final
