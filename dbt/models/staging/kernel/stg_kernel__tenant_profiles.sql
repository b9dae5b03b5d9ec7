-- grain: one tenant
with
{{ latest_landed('kernel', 'tenant_profiles', key=['tenant_id']) }},

final as (
    select
        tenant_id,
        merchant_of_record,
        charge_model,
        payer,
        pay_from_period,
        plan,
        subscription_plan,
        lower(subscription_status) as subscription_status,
        override_subscription_cents,
        override_included_verified_runs,
        override_overage_shown_millicents,
        override_overage_millicents,
        override_settled_volume_fee_bps,
        override_arbitration_case_fee_cents,
        override_hard_limit_verified_runs,
        hard_limit_enforced,
        artifact_sha256,
        verdict,
        coalesce(is_vouched, false) as is_vouched,
        received_at
    from latest
)

select *
from final
