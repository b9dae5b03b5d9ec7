-- grain: one payout instruction and one condition of the original's list that looks at no other payout
{{ config(materialized='view') }}
with joined as (
    select
        subjects.*,
        coalesce(controls.emergency_code, '') as emergency_code,
        coalesce(controls.is_real_money, false) as is_real_money,
        coalesce(controls.is_switched_off, true) as is_switched_off,
        coalesce(controls.is_denied, true) as is_denied,
        coalesce(controls.is_enqueue_degraded, true) as is_enqueue_degraded,
        coalesce(controls.policy_mode, 'hold') as policy_mode,
        coalesce(controls.is_outstanding_limited, false) as is_outstanding_limited,
        controls.outstanding_cap_cents,
        exposure.recoverable_cents,
        exposure.other_currency_cents,
        destinations.destination_account_id
    from {{ ref('int_payout_subjects') }} as subjects
    left join {{ ref('int_payout_controls') }} as controls
        on
            subjects.tenant_id = controls.tenant_id
            and coalesce(subjects.provider_id, '') = controls.provider_key
    inner join {{ ref('int_payout_exposure') }} as exposure
        on
            subjects.tenant_id = exposure.tenant_id
            and subjects.payout_key = exposure.payout_key
    inner join {{ ref('int_payout_destinations') }} as destinations
        on
            subjects.tenant_id = destinations.tenant_id
            and subjects.payout_key = destinations.payout_key
),

-- In net mode an outstanding limit that nobody set allows no debt; in hold mode every debt holds anyway.
judged as (
    select
        *,
        policy_mode <> 'off'
        and recoverable_cents > 0
        and case
            when is_outstanding_limited then coalesce(recoverable_cents > outstanding_cap_cents, false)
            else policy_mode = 'net'
        end as is_over_outstanding,
        case
            when policy_mode = 'hold' then recoverable_cents + other_currency_cents > 0
            when policy_mode = 'net' then other_currency_cents > 0
            else false
        end as is_held_by_policy,
        -- An emergency whose kind is not known stops like the strongest one.
        case
            when emergency_code in ('', 'EMERGENCY_QUARANTINE_ACTIVE', 'EMERGENCY_REVOKE_ACTIVE', 'EMERGENCY_PAUSE_ACTIVE')
                then emergency_code
            else 'EMERGENCY_KILL_SWITCH_ACTIVE'
        end as emergency
    from joined
),

final as (
{{ condition_rows('judged', [
    ('EMERGENCY_KILL_SWITCH_ACTIVE', "emergency = 'EMERGENCY_KILL_SWITCH_ACTIVE'", 'emergency', "'none'", 'kernel controls'),
    ('EMERGENCY_QUARANTINE_ACTIVE', "emergency = 'EMERGENCY_QUARANTINE_ACTIVE'", 'emergency', "'none'", 'kernel controls'),
    ('EMERGENCY_REVOKE_ACTIVE', "emergency = 'EMERGENCY_REVOKE_ACTIVE'", 'emergency', "'none'", 'kernel controls'),
    ('EMERGENCY_PAUSE_ACTIVE', "emergency = 'EMERGENCY_PAUSE_ACTIVE'", 'emergency', "'none'", 'kernel controls'),
    ('MONTH_NOT_CLOSED', 'not is_month_closed', "coalesce(close_status, 'absent')", "'CLOSED'", 'month closes'),
    ('PROVIDER_UNKNOWN', 'not is_provider_known', "coalesce(provider_id, 'absent')", "'known'", 'providers'),
    ('PROVIDER_PAYOUT_NOT_ALLOWED', 'not is_payout_allowed', 'is_payout_allowed', "'true'", 'providers'),
    ('REAL_MONEY_DISABLED', "coalesce(provider_mode, 'production') <> 'sandbox' and not is_real_money", 'is_real_money', "'true'", 'controls'),
    ('PAYOUT_KILL_SWITCH_ACTIVE', 'is_switched_off', 'is_switched_off', "'false'", 'controls'),
    ('MONEY_RAIL_PROVIDER_NOT_ALLOWED', 'is_denied', "coalesce(provider_id, 'absent')", "'allowlist'", 'controls'),
    ('MONEY_RAIL_DEGRADED_ENQUEUE_DENIED', 'is_enqueue_degraded', 'is_enqueue_degraded', "'false'", 'controls'),
    ('CHARGEBACK_OUTSTANDING_LIMIT_EXCEEDED', 'is_over_outstanding', 'recoverable_cents',
        "case when not is_outstanding_limited then 'absent' else coalesce(cast(outstanding_cap_cents as " ~ dbt.type_string() ~ "), 'unlimited') end", 'exposure'),
    ('NEGATIVE_BALANCE_PAYOUT_HOLD', 'is_held_by_policy', 'recoverable_cents + other_currency_cents', 'policy_mode', 'exposure'),
    ('STRIPE_CONNECT_ACCOUNT_REQUIRED', 'destination_account_id is null', "coalesce(destination_account_id, 'absent')", "'one active account'", 'connect accounts'),
    ('STRIPE_CONNECT_COUNTERPARTY_MISMATCH', "requested_ref is not null and coalesce(requested_ref <> 'stripe_connect:' || destination_account_id, true)",
        "coalesce(requested_ref, 'none')", "coalesce('stripe_connect:' || destination_account_id, 'absent')", 'payout request')
]) }}
)

select *
from final
