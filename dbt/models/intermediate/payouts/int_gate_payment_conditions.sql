-- grain: one payout instruction and one of our conditions on its destination, its sources and its payment
{{ config(materialized='view') }}
with joined as (
    select
        subjects.*,
        coalesce(controls.is_submit_degraded, true) as is_submit_degraded,
        destinations.destination_account_id,
        destinations.is_mapping_capable,
        destinations.is_account_known,
        destinations.is_account_capable,
        destinations.kyb_state,
        destinations.capability_transfers,
        destinations.mapped_at,
        destinations.is_proven,
        destinations.is_pinned_elsewhere,
        holdbacks.open_holds,
        holdbacks.refunded_holds,
        bindings.binding_error,
        states.operation_account_id,
        states.operation_ref,
        states.operation_state,
        states.submission_state,
        states.transfer_id,
        states.is_operation_terminal,
        coalesce(rivals.rivals, 0) as rivals,
        rivals.first_rival_key,
        settings.setting_value as destination_hold_minutes
    from {{ ref('int_payout_subjects') }} as subjects
    inner join {{ ref('int_payout_destinations') }} as destinations
        on
            subjects.tenant_id = destinations.tenant_id
            and subjects.payout_key = destinations.payout_key
    inner join {{ ref('int_payout_holdbacks') }} as holdbacks
        on
            subjects.tenant_id = holdbacks.tenant_id
            and subjects.payout_key = holdbacks.payout_key
    inner join {{ ref('int_payout_bindings') }} as bindings
        on
            subjects.tenant_id = bindings.tenant_id
            and subjects.payout_key = bindings.payout_key
    inner join {{ ref('int_payout_states') }} as states
        on
            subjects.tenant_id = states.tenant_id
            and subjects.payout_key = states.payout_key
    left join {{ ref('int_payout_rivals') }} as rivals
        on
            subjects.tenant_id = rivals.tenant_id
            and subjects.payout_key = rivals.payout_key
    left join {{ ref('int_payout_controls') }} as controls
        on
            subjects.tenant_id = controls.tenant_id
            and coalesce(subjects.provider_id, '') = controls.provider_key
    left join {{ ref('gate_settings') }} as settings
        on
            settings.setting = 'destination_hold_minutes'
            and settings.currency = '*'
),

-- Every place that names a destination must name the same one; places that name none say nothing.
named as (
    select
        *,
        case
            when destination_ref not in (destination_account_id, 'stripe_connect:' || destination_account_id) then destination_ref
            when operation_account_id <> destination_account_id then operation_account_id
            when operation_ref like 'stripe_connect:%' and operation_ref <> 'stripe_connect:' || destination_account_id then operation_ref
        end as wrong_destination
    from joined
),

final as (
{{ condition_rows('named', [
    ('HOLDBACK_WINDOW_OPEN', 'open_holds > 0', 'open_holds', '0', 'funding holds'),
    ('HOLDBACK_AFTER_REFUND', 'refunded_holds > 0', 'refunded_holds', '0', 'funding holds'),
    ('ACCOUNT_NOT_CAPABLE', "not (is_account_known and is_account_capable and is_mapping_capable)",
        "case when not is_account_known then 'not read, or claimed twice' when not is_mapping_capable then 'mapping restricted'"
        ~ " else kyb_state || ', transfers ' || capability_transfers end", "'transfers active, payouts enabled, nothing overdue'", 'rail accounts'),
    ('DESTINATION_CHANGED', 'not is_proven and as_of < ' ~ add_minutes('mapped_at', 'destination_hold_minutes'),
        "case when is_proven then 'paid before' else coalesce(cast(mapped_at as " ~ dbt.type_string() ~ "), 'unknown') end", 'destination_hold_minutes', 'connect accounts'),
    ('PAYOUT_BINDING_MISMATCH', 'binding_error is not null', "coalesce(binding_error, 'bound')", "'bound'", 'payout links'),
    ('DESTINATION_MISMATCH', 'destination_account_id is not null and (wrong_destination is not null or coalesce(is_pinned_elsewhere, false))',
        "case when is_pinned_elsewhere then 'operators pinned another' else coalesce(wrong_destination, destination_ref, operation_account_id, operation_ref, 'none') end", "coalesce(destination_account_id, 'absent')", 'payout instruction'),
    ('SUPERSEDED_INSTRUCTION', 'rivals > 0', "coalesce(first_rival_key, 'none')", "'none'", 'payout instructions'),
    ('SUBMISSION_UNRESOLVED', 'is_unresolved', "coalesce(submission_state, 'none')", "'resolved'", 'payout journal'),
    ('ALREADY_PAID', 'is_paid', "coalesce(transfer_id, submission_state, operation_state, 'no')", "'no'", 'operation, journal and rail'),
    ('PAYER_NOT_TIEOUT', 'not is_ours_to_pay', "coalesce(payer, 'absent') || ' from ' || coalesce(pay_from_period, 'never')", 'period', 'tenant profile'),
    ('PAYOUT_NOT_REQUESTED', 'not is_requested', 'is_requested', "'true'", 'payout request'),
    ('OPERATION_TERMINAL', 'is_operation_terminal', "coalesce(operation_state, 'none')", "'initiated'", 'operation'),
    ('MONEY_RAIL_DEGRADED_SUBMIT_DENIED', 'is_submit_degraded', 'is_submit_degraded', "'false'", 'controls')
]) }}
)

select *
from final
