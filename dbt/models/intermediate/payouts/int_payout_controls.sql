-- grain: one provider of a tenant (or none): the strictest of what the kernel exports and operators signed
with joined as (
    select
        scopes.*,
        kernel.tenant_id is not null as has_kernel_controls,
        kernel.tenant_id is not null and not {{ may_fund('kernel') }} as is_kernel_unvouched,
        kernel.updated_at as kernel_updated_at,
        kernel.emergency_code,
        coalesce(kernel.real_money_enabled, false) as kernel_real_money,
        coalesce(kernel.payout_kill_switch, false) as kernel_killed,
        kernel.allowed_provider_ids,
        kernel.allowed_provider_ids is not null
        and instr(kernel.allowed_provider_ids, '|' || scopes.provider_key || '|') = 0 as kernel_denies_provider,
        coalesce(kernel.degraded_enabled, false)
        and (
            kernel.degraded_provider_ids is null
            or kernel.degraded_provider_ids = '|'
            or instr(kernel.degraded_provider_ids, '|' || scopes.provider_key || '|') > 0
        ) as kernel_degraded,
        coalesce(kernel.deny_enqueue_payouts, true) as kernel_denies_enqueue,
        coalesce(kernel.deny_submit_payouts, true) as kernel_denies_submit,
        coalesce(kernel.max_payout_amount_present, false) as has_single_limit,
        kernel.max_payout_amount_cents,
        coalesce(kernel.daily_payout_limit_present, false) as has_daily_limit,
        kernel.daily_payout_limit_cents,
        coalesce(kernel.max_outstanding_present, false) as has_outstanding_limit,
        kernel.max_outstanding_cents,
        coalesce(kernel.chargebacks_enabled, false) as kernel_chargebacks,
        coalesce(kernel.negative_balance_mode, 'hold') as kernel_policy_mode,
        coalesce(kernel.connect_enabled, false) as kernel_connect,
        kernel.connect_default_account_id
    from {{ ref('int_control_scopes') }} as scopes
    left join {{ ref('stg_kernel__money_rail_controls') }} as kernel
        on scopes.tenant_id = kernel.tenant_id
),

final as (
    select
        *,
        is_killed or kernel_killed as is_switched_off,
        -- Both must say yes where both say anything; nobody saying it is a no.
        (kernel_real_money or (not has_kernel_controls and is_real_money_set))
        and not is_real_money_denied as is_real_money,
        is_provider_denied or kernel_denies_provider as is_denied,
        (is_degraded and is_degraded_here and is_enqueue_denied)
        or (kernel_degraded and kernel_denies_enqueue) as is_enqueue_degraded,
        (is_degraded and is_degraded_here and is_submit_denied)
        or (kernel_degraded and kernel_denies_submit) as is_submit_degraded,
        has_single_limit or is_single_limit_set as is_single_limited,
        least(max_payout_amount_cents, single_limit_cents) as single_cap_cents,
        has_daily_limit or is_daily_limit_set as is_daily_limited,
        least(daily_payout_limit_cents, daily_limit_cents) as daily_cap_cents,
        has_outstanding_limit or is_outstanding_limit_set as is_outstanding_limited,
        least(max_outstanding_cents, outstanding_limit_cents) as outstanding_cap_cents,
        -- A policy that nobody set, or that only the kernel switched off, is hold.
        case
            when kernel_chargebacks and kernel_policy_mode <> 'net' then 'hold'
            when policy_rank = 1 and not coalesce(is_policy_off, false) then 'hold'
            when kernel_chargebacks then 'net'
            when is_policy_off then 'off'
            when policy_rank = 2 then 'net'
            else 'hold'
        end as policy_mode
    from joined
)

select *
from final
