-- grain: one payout instruction: what the original alone would answer if it were asked now
with netted as (
    select
        *,
        case
            when kernel_policy_mode <> 'net' then 0
            when outstanding_cents < gross_cents then outstanding_cents
            else gross_cents
        end as recovery_cents,
        case when needs_account then 'stripe_connect:' || kernel_account_id end as account_ref
    from {{ ref('int_kernel_gate_inputs') }}
),

answered as (
    select
        *,
        case
            when emergency_code in ('EMERGENCY_QUARANTINE_ACTIVE', 'EMERGENCY_REVOKE_ACTIVE', 'EMERGENCY_PAUSE_ACTIVE')
                then emergency_code
            when emergency_code is not null then 'EMERGENCY_KILL_SWITCH_ACTIVE'
            when not is_month_closed then 'MONTH_NOT_CLOSED'
            when gross_cents = 0 then 'no_payout_due'
            when not is_provider_known then 'PROVIDER_UNKNOWN'
            when not is_payout_allowed then 'PROVIDER_PAYOUT_NOT_ALLOWED'
            when provider_mode = 'production' and not kernel_real_money then 'REAL_MONEY_DISABLED'
            when kernel_killed then 'PAYOUT_KILL_SWITCH_ACTIVE'
            when is_provider_refused then 'MONEY_RAIL_PROVIDER_NOT_ALLOWED'
            when is_enqueue_denied then 'MONEY_RAIL_DEGRADED_ENQUEUE_DENIED'
            when outstanding_limit_cents > 0 and outstanding_cents > outstanding_limit_cents
                then 'CHARGEBACK_OUTSTANDING_LIMIT_EXCEEDED'
            when outstanding_cents > 0 and kernel_policy_mode <> 'net' then 'NEGATIVE_BALANCE_PAYOUT_HOLD'
            when gross_cents <= recovery_cents then 'chargeback_offset_consumed'
            when single_limit_cents > 0 and gross_cents - recovery_cents > single_limit_cents
                then 'PAYOUT_AMOUNT_LIMIT_EXCEEDED'
            when daily_limit_cents > 0 and committed_cents + gross_cents - recovery_cents > daily_limit_cents
                then 'PAYOUT_DAILY_LIMIT_EXCEEDED'
            when needs_account and kernel_account_id is null then 'STRIPE_CONNECT_ACCOUNT_REQUIRED'
            when needs_account and requested_ref is not null and requested_ref <> account_ref
                then 'STRIPE_CONNECT_COUNTERPARTY_MISMATCH'
            else 'enqueued'
        end as answer
    from netted
),

final as (
    select
        answered.tenant_id,
        answered.payout_key,
        conditions.condition_code as kernel_condition,
        conditions.original_code as kernel_code,
        case
            when answered.answer in ('no_payout_due', 'chargeback_offset_consumed') then answered.answer
            when conditions.original_code = 'UNKNOWN' then conditions.label
        end as kernel_reason,
        case when answered.answer = 'enqueued' then answered.gross_cents - answered.recovery_cents end as kernel_amount_cents,
        answered.recovery_cents as kernel_recovery_cents,
        case
            when answered.answer = 'enqueued'
                then coalesce(answered.account_ref, answered.requested_ref, 'party:' || answered.party_id)
        end as kernel_counterparty_ref,
        answered.outstanding_cents as kernel_outstanding_cents
    from answered
    left join {{ ref('gate_conditions') }} as conditions
        on answered.answer = conditions.condition_code
)

select *
from final
