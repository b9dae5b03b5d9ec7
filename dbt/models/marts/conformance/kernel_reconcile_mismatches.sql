-- grain: one mismatch of the original's reconciliation of a tenant, month and provider
with matched as (
    select *
    from {{ ref('int_kernel_matched_payouts') }}
),

missing as (
    select
        'missing_operation' as mismatch_type,
        matched.*,
        cast(null as {{ dbt.type_string() }}) as duplicate_artifact_id
    from matched
    where not is_matched
),

differing as (
    select
        'amount_mismatch' as mismatch_type,
        matched.*,
        cast(null as {{ dbt.type_string() }}) as duplicate_artifact_id
    from matched
    where is_matched and amount_cents <> operation_amount_cents

    union all

    select
        'currency_mismatch' as mismatch_type,
        matched.*,
        cast(null as {{ dbt.type_string() }}) as duplicate_artifact_id
    from matched
    where is_matched and currency <> operation_currency

    union all

    select
        'terminal_failure' as mismatch_type,
        matched.*,
        cast(null as {{ dbt.type_string() }}) as duplicate_artifact_id
    from matched
    where is_matched and operation_state in ('failed', 'reversed')
),

duplicates as (
    select
        'duplicate_expected' as mismatch_type,
        matched.*,
        copies.artifact_id as duplicate_artifact_id
    from matched
    inner join {{ ref('int_kernel_expected_payouts') }} as copies
        on
            matched.tenant_id = copies.tenant_id
            and matched.period = copies.period
            and matched.payout_key = copies.payout_key
    where copies.expected_rank > 1
),

of_instructions as (
    select *
    from missing

    union all

    select *
    from differing

    union all

    select *
    from duplicates
),

final as (
    select
        tenant_id,
        period,
        provider_id,
        mismatch_type,
        operation_id,
        coalesce(duplicate_artifact_id, artifact_id) as mismatch_artifact_id,
        payout_key,
        party_id,
        artifact_id,
        duplicate_artifact_id,
        amount_cents as expected_amount_cents,
        operation_amount_cents as actual_amount_cents,
        currency,
        operation_currency as actual_currency,
        operation_state,
        operation_reason
    from of_instructions

    union all

    select
        operations.tenant_id,
        operations.period,
        operations.provider_id,
        'unexpected_operation' as mismatch_type,
        operations.operation_id,
        '' as mismatch_artifact_id,
        operations.payout_key,
        cast(null as {{ dbt.type_string() }}) as party_id,
        cast(null as {{ dbt.type_string() }}) as artifact_id,
        cast(null as {{ dbt.type_string() }}) as duplicate_artifact_id,
        cast(null as bigint) as expected_amount_cents,
        operations.amount_cents as actual_amount_cents,
        operations.currency,
        operations.currency as actual_currency,
        operations.operation_state,
        operations.reason_code as operation_reason
    from {{ ref('int_kernel_rail_operations') }} as operations
    left join matched
        on
            operations.tenant_id = matched.tenant_id
            and operations.provider_id = matched.provider_id
            and operations.period = matched.period
            and operations.operation_id = matched.operation_id
    where operations.period <> '' and matched.operation_id is null
)

select *
from final
