-- grain: one row, the current build
with parameters as (
    select
        run_id,
        as_of,
        known_at,
        home_mode
    from {{ source('run', 'parameters') }}
),

settings as (
    select
        max(case when setting = 'evidence_stale_minutes' then setting_value end) as evidence_stale_minutes,
        max(case when setting = 'decision_ttl_minutes' then setting_value end) as decision_ttl_minutes,
        max(case when setting = 'payout_due_days' then setting_value end) as payout_due_days,
        max(case when setting = 'collection_due_days' then setting_value end) as collection_due_days,
        max(case when setting = 'late_settlement_days' then setting_value end) as late_settlement_days,
        max(case when setting = 'clearing_samples' then setting_value end) as clearing_samples,
        max(case when setting = 'clearing_percent' then setting_value end) as clearing_percent,
        max(case when setting = 'rail_booking_days' then setting_value end) as rail_booking_days,
        max(case when setting = 'conversion_tolerance_cents' then setting_value end) as conversion_tolerance_cents,
        max(case when setting = 'platform_fee_bps' then setting_value end) as platform_fee_bps
    from {{ ref('run_settings') }}
),

final as (
    select
        parameters.run_id,
        parameters.as_of,
        parameters.known_at,
        parameters.home_mode,
        settings.evidence_stale_minutes,
        settings.decision_ttl_minutes,
        settings.payout_due_days,
        settings.collection_due_days,
        settings.late_settlement_days,
        settings.clearing_samples,
        settings.clearing_percent,
        settings.rail_booking_days,
        settings.conversion_tolerance_cents,
        settings.platform_fee_bps
    from parameters
    cross join settings
)

select *
from final
