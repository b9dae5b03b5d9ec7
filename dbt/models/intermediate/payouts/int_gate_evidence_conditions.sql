-- grain: one payout instruction and one of our conditions on evidence and reconciliation
{{ config(materialized='view') }}
with limits as (
    select
        max(case when setting = 'kernel_controls_max_age_minutes' then setting_value end) as controls_age_minutes,
        max(case when setting = 'unattributed_exposure_cents' then setting_value end) as unattributed_cents
    from {{ ref('gate_settings') }}
    where currency = '*'
),

joined as (
    select
        subjects.tenant_id,
        subjects.payout_key,
        subjects.currency,
        subjects.gross_cents,
        evidence.as_of,
        evidence.evidence_at,
        evidence.evidence_stale_minutes,
        evidence.is_stale,
        coalesce(parties.stripe_complete, evidence.is_stripe_complete) as is_stripe_complete,
        evidence.is_kernel_complete,
        evidence.manifest_status,
        bindings.links,
        bindings.unverified_sources
        + subjects.unvouched_inputs
        + case when controls.is_kernel_unvouched then 1 else 0 end as unverified_sources,
        breaks.open_breaks,
        breaks.seen,
        coalesce(breached.is_breached, false) as is_breached,
        coalesce(breached.seen, '0') as mismatches,
        exposure.unattributed_cents,
        exposure.other_provider_cents,
        limits.unattributed_cents as unattributed_limit_cents,
        limits.controls_age_minutes,
        coalesce(controls.has_kernel_controls, false) as has_kernel_controls,
        -- Controls are as old as the newest moment at which the kernel vouched for them.
        greatest(
            controls.kernel_updated_at,
            case when evidence.manifest_status = 'trusted' then evidence.exported_through end
        ) as controls_at,
        currencies.currency is not null as is_currency_known
    from {{ ref('int_payout_subjects') }} as subjects
    cross join limits
    inner join {{ ref('int_payout_evidence') }} as evidence
        on subjects.tenant_id = evidence.tenant_id
    left join {{ ref('int_party_completeness') }} as parties
        on
            subjects.tenant_id = parties.tenant_id
            and subjects.party_id = parties.party_id
    inner join {{ ref('int_payout_bindings') }} as bindings
        on
            subjects.tenant_id = bindings.tenant_id
            and subjects.payout_key = bindings.payout_key
    inner join {{ ref('int_payout_breaks') }} as breaks
        on
            subjects.tenant_id = breaks.tenant_id
            and subjects.payout_key = breaks.payout_key
    inner join {{ ref('int_payout_exposure') }} as exposure
        on
            subjects.tenant_id = exposure.tenant_id
            and subjects.payout_key = exposure.payout_key
    left join {{ ref('int_payout_controls') }} as controls
        on
            subjects.tenant_id = controls.tenant_id
            and coalesce(subjects.provider_id, '') = controls.provider_key
    left join {{ ref('int_gate_daily_mismatches') }} as breached
        on subjects.tenant_id = breached.tenant_id
    left join {{ ref('gate_currencies') }} as currencies
        on subjects.currency = currencies.currency
),

found as (
{{ condition_rows('joined', [
    ('EVIDENCE_STALE', 'is_stale', "coalesce(cast(evidence_at as " ~ dbt.type_string() ~ "), 'never read')", 'evidence_stale_minutes', 'coverage'),
    ('EVIDENCE_INCOMPLETE', 'not (is_stripe_complete and is_kernel_complete)',
        "case when not is_stripe_complete then 'rail incomplete' when not is_kernel_complete then 'kernel incomplete' else 'complete' end", "'complete'", 'coverage'),
    ('EVIDENCE_UNVERIFIED', "manifest_status <> 'trusted' or unverified_sources > 0",
        "manifest_status || ', ' || cast(unverified_sources as " ~ dbt.type_string() ~ ") || ' unverified sources'", "'trusted'", 'artifact verdicts'),
    ('OPEN_BREAK', 'open_breaks > 0', "case when open_breaks > 0 then seen else 'none' end", "'none'", 'reconciliation'),
    ('DAILY_MISMATCH_THRESHOLD', 'is_breached', 'mismatches', "'threshold of the day'", 'reconciliation'),
    ('UNATTRIBUTED_EXPOSURE', 'unattributed_cents > unattributed_limit_cents', 'unattributed_cents', 'unattributed_limit_cents', 'exposure'),
    ('CROSS_PROVIDER_EXPOSURE', 'other_provider_cents > 0', 'other_provider_cents', '0', 'exposure'),
    ('CONTROLS_STALE', 'not has_kernel_controls or as_of > ' ~ add_minutes('controls_at', 'controls_age_minutes'),
        "coalesce(cast(controls_at as " ~ dbt.type_string() ~ "), 'absent')", 'controls_age_minutes', 'kernel controls'),
    ('CURRENCY_NOT_KNOWN', 'not is_currency_known', 'currency', "'listed'", 'currency list')
]) }}
),

-- Two people lifted a condition of one payout, as it was observed and up to an amount.
lifted as (
    select
        found.tenant_id,
        found.payout_key,
        found.condition_code,
        min(overrides.override_id) as override_id
    from found
    inner join joined
        on
            found.tenant_id = joined.tenant_id
            and found.payout_key = joined.payout_key
    inner join {{ ref('int_overrides') }} as overrides
        on
            found.tenant_id = overrides.tenant_id
            and found.payout_key = overrides.payout_key
            and found.condition_code = overrides.condition_code
            and coalesce(found.observed, '') = overrides.observed
            and joined.currency = overrides.currency
            and joined.gross_cents <= overrides.amount_cents
    where overrides.is_in_force
    group by found.tenant_id, found.payout_key, found.condition_code
),

final as (
    select
        found.tenant_id,
        found.payout_key,
        found.condition_code,
        found.holds and lifted.override_id is null as holds,
        found.observed,
        found.threshold,
        coalesce('override ' || lifted.override_id, found.evidence_source) as evidence_source
    from found
    left join lifted
        on
            found.tenant_id = lifted.tenant_id
            and found.payout_key = lifted.payout_key
            and found.condition_code = lifted.condition_code
)

select *
from final
