-- grain: the controls of one tenant
with
{{ latest_landed('kernel', 'money_rail_controls', key=['tenant_id'], newest_first=['updated_at']) }},

final as (
    select
        tenant_id,
        real_money_enabled,
        payout_kill_switch,
        max_payout_amount_cents,
        max_payout_amount_present,
        daily_payout_limit_cents,
        daily_payout_limit_present,
        allowed_provider_ids,
        connect_enabled,
        connect_default_account_id,
        chargebacks_enabled,
        negative_balance_mode,
        max_outstanding_cents,
        max_outstanding_present,
        degraded_enabled,
        degraded_provider_ids,
        deny_enqueue_payouts,
        deny_submit_payouts,
        degraded_reason_code,
        emergency_code,
        updated_at,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
