-- grain: one kernel artifact that another artifact of the kernel contradicts, where no payout item says so already
{{ config(materialized='view') }}
with receipt_checks as (
    select *
    from {{ ref('int_receipt_checks') }}
),

found as (
    select
        tenant_id,
        'receipt_parts' as check_kind,
        receipt_id as object_key,
        party_id,
        {{ period_of('since_at') }} as period,
        currency,
        whole_cents as expected_cents,
        parts_cents as actual_cents,
        receipt_id as kernel_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        since_at
    from receipt_checks
    -- A receipt of a reversal says only what it gave back itself.
    where
        receipt_status = 'released'
        and whole_cents <> parts_cents

    union all

    select
        tenant_id,
        'receipt_settlement' as check_kind,
        receipt_id as object_key,
        party_id,
        {{ period_of('since_at') }} as period,
        currency,
        settled_cents as expected_cents,
        released_cents as actual_cents,
        receipt_id as kernel_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        since_at
    from receipt_checks
    where
        receipt_status = 'released'
        and settled_cents <> released_cents
        and whole_cents = parts_cents

    union all

    select
        tenant_id,
        'receipt_charges' as check_kind,
        receipt_id as object_key,
        party_id,
        {{ period_of('since_at') }} as period,
        currency,
        whole_cents as expected_cents,
        linked_cents as actual_cents,
        receipt_id as kernel_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        since_at
    from receipt_checks
    where
        linked_cents <> whole_cents
        and (receipt_status <> 'released' or whole_cents = parts_cents)

    union all

    select
        positions.tenant_id,
        'operation' as check_kind,
        operations.operation_id as object_key,
        positions.party_id,
        positions.period,
        positions.currency,
        positions.expected_cents,
        operations.amount_cents as actual_cents,
        operations.operation_id as kernel_object_id,
        positions.payout_key,
        positions.generated_at as since_at
    from {{ ref('stg_kernel__money_rail_operations') }} as operations
    inner join {{ ref('int_payout_positions') }} as positions
        on
            operations.tenant_id = positions.tenant_id
            and operations.payout_key = positions.payout_key
    where
        operations.operation_state not in ('failed', 'cancelled')
        and operations.direction = 'payout'
        -- What the rail carried out as the operation says, the payout's own item tells already.
        and (
            positions.open_code is null
            or operations.currency <> positions.currency
            or operations.amount_cents <> positions.settled_cents
        )
        -- A recovery that enforcement took and the operation does not say explains itself in the journal.
        and (
            operations.currency <> positions.currency
            or operations.amount_cents not in (
                positions.expected_cents, positions.gross_cents - coalesce(operations.chargeback_recovery_applied_cents, 0)
            )
        )

    union all

    select
        instructions.tenant_id,
        'statement' as check_kind,
        instructions.artifact_id as object_key,
        instructions.party_id,
        instructions.period,
        instructions.currency,
        statements.payout_cents as expected_cents,
        instructions.amount_cents as actual_cents,
        instructions.artifact_id as kernel_object_id,
        instructions.payout_key,
        instructions.generated_at as since_at
    from {{ ref('stg_kernel__payout_instructions') }} as instructions
    inner join {{ ref('stg_kernel__party_statements') }} as statements
        on
            instructions.tenant_id = statements.tenant_id
            and instructions.statement_hash = statements.artifact_hash
    inner join {{ ref('int_payout_mapping') }} as mapping
        on
            instructions.tenant_id = mapping.tenant_id
            and instructions.payout_key = mapping.payout_key
    where
        instructions.verdict <> 'mismatch'
        and statements.verdict <> 'mismatch'
        and not mapping.has_link_variance
        and instructions.amount_cents <> statements.payout_cents
),

-- An operation in another currency differs although its amount may not.
coded as (
    select
        *,
        case
            when actual_cents > expected_cents then 'AMOUNT_OVER'
            when actual_cents < expected_cents then 'AMOUNT_UNDER'
            else 'CURRENCY_MISMATCH'
        end as reason_code
    from found
),

hold_checks as (
    select
        adjustments.tenant_id,
        'adjustment' as check_kind,
        adjustments.adjustment_id as object_key,
        holds.party_id,
        {{ period_of('adjustments.created_at') }} as period,
        adjustments.currency,
        case
            when adjustments.currency <> holds.currency then 'CURRENCY_MISMATCH'
            when adjustments.amount_cents <> holds.hold_cents then 'HOLDBACK_VARIANCE'
            else 'STATUS_CONFLICT'
        end as reason_code,
        holds.hold_cents as expected_cents,
        adjustments.amount_cents as actual_cents,
        adjustments.adjustment_id as kernel_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        adjustments.created_at as since_at
    from {{ ref('stg_kernel__settlement_adjustments') }} as adjustments
    inner join {{ ref('int_hold_positions') }} as holds
        on
            adjustments.tenant_id = holds.tenant_id
            and adjustments.hold_hash = holds.hold_hash
    where
        adjustments.verdict <> 'mismatch'
        and (
            adjustments.amount_cents <> holds.hold_cents
            or adjustments.currency <> holds.currency
            or (adjustments.adjustment_kind = 'holdback_release' and holds.hold_status <> 'released')
            or (adjustments.adjustment_kind = 'holdback_refund' and holds.hold_status <> 'refunded')
        )
),

unknown_holds as (
    select
        tenant_id,
        'hold_status' as check_kind,
        hold_hash as object_key,
        party_id,
        {{ period_of('created_at') }} as period,
        currency,
        'UNCLASSIFIED' as reason_code,
        hold_cents as expected_cents,
        hold_cents as actual_cents,
        hold_hash as kernel_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        created_at as since_at
    from {{ ref('int_hold_positions') }}
    where not is_status_known
),

final as (
    select
        tenant_id,
        check_kind,
        object_key,
        party_id,
        period,
        currency,
        reason_code,
        expected_cents,
        case when reason_code = 'CURRENCY_MISMATCH' then 0 else actual_cents end as actual_cents,
        kernel_object_id,
        payout_key,
        since_at
    from coded

    union all

    select * from hold_checks

    union all

    select * from unknown_holds

    union all

    select * from {{ ref('int_link_checks') }}

    union all

    select * from {{ ref('int_left_out_sources') }}
)

select *
from final
