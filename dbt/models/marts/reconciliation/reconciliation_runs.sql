-- grain: one run, tenant, period and currency
with run as (
    select *
    from {{ ref('stg_tieout__run') }}
),

moved as (
    select
        tenant_id,
        period,
        currency,
        case when amount_cents < 0 then -amount_cents else amount_cents end as gross_cents,
        0 as unexplained_cents,
        0 as pending_cents
    from {{ ref('int_movement_outcomes') }}
),

open_items as (
    select
        tenant_id,
        period,
        currency,
        -- What the kernel expects and the rail never moved is gross money too.
        case when item_kind in ('payout', 'collection', 'refund') then unexplained_cents else 0 end as gross_cents,
        case when verdict_effect = 'break' then unexplained_cents else 0 end as unexplained_cents,
        case when verdict_effect = 'pending' then unexplained_cents else 0 end as pending_cents
    from {{ ref('int_open_items') }}
),

money as (
    select * from moved
    union all
    select * from open_items
),

gross as (
    select
        tenant_id,
        period,
        currency,
        {{ sum_cents('gross_cents') }} as gross_cents,
        {{ sum_cents('unexplained_cents') }} as unexplained_cents,
        {{ sum_cents('pending_cents') }} as pending_cents
    from money
    group by tenant_id, period, currency
),

items as (
    select
        tenant_id,
        period,
        currency,
        count(case when verdict_effect = 'break' then 1 end) as open_breaks,
        count(case when verdict_effect = 'warning' then 1 end) as warnings,
        count(case when verdict_effect = 'pending' then 1 end) as pending_items
    from {{ ref('int_open_items') }}
    group by tenant_id, period, currency
),

residuals as (
    select
        tenant_id,
        period,
        currency,
        amount_cents as residual_cents
    from {{ ref('reconciliation_bridge') }}
    where line_code = 'residual'
),

-- What contradicts the month itself; what was not read or not signed is judged below by source.
objections as (
    select
        tenant_id,
        period,
        {{ sum_cents('blocked_items') }} as blocked_items
    from {{ ref('certification_blockers') }}
    where blocker in ('TIE_OUT_FAILS', 'ARTIFACT_UNVERIFIED')
    group by tenant_id, period
),

joined as (
    select
        run.run_id,
        run.as_of,
        residuals.tenant_id,
        residuals.period,
        residuals.currency,
        residuals.residual_cents,
        coalesce(gross.gross_cents, 0) as gross_cents,
        -- Two checks may doubt the same money; it can be unexplained only once.
        case
            when gross.unexplained_cents > gross.gross_cents then gross.gross_cents
            else coalesce(gross.unexplained_cents, 0)
        end as unexplained_cents,
        case
            when gross.pending_cents > gross.gross_cents then gross.gross_cents
            else coalesce(gross.pending_cents, 0)
        end as pending_cents,
        coalesce(items.open_breaks, 0) as open_breaks,
        coalesce(objections.blocked_items, 0) + coalesce(lasting.blocked_items, 0) as objections,
        coalesce(items.warnings, 0) as warnings,
        coalesce(items.pending_items, 0) as pending_items,
        coalesce(mapping.required_cents, 0) as required_cents,
        coalesce(mapping.receipt_cents, 0) as receipt_cents,
        coalesce(mapping.worst_level, 0) as worst_level,
        coalesce(completeness.stripe_complete, false) as stripe_complete,
        coalesce(completeness.kernel_complete, false) as kernel_complete,
        coalesce(completeness.kernel_verified, false) as kernel_verified
    from residuals
    cross join run
    left join gross
        on
            residuals.tenant_id = gross.tenant_id
            and residuals.period = gross.period
            and residuals.currency = gross.currency
    left join items
        on
            residuals.tenant_id = items.tenant_id
            and residuals.period = items.period
            and residuals.currency = items.currency
    left join {{ ref('int_mapping_gross') }} as mapping
        on
            residuals.tenant_id = mapping.tenant_id
            and residuals.period = mapping.period
            and residuals.currency = mapping.currency
    left join objections
        on
            residuals.tenant_id = objections.tenant_id
            and residuals.period = objections.period
    left join objections as lasting
        on
            residuals.tenant_id = lasting.tenant_id
            and lasting.period = 'all'
    left join {{ ref('int_source_completeness') }} as completeness
        on residuals.tenant_id = completeness.tenant_id
),

final as (
    select
        run_id,
        tenant_id,
        period,
        currency,
        as_of,
        case
            when not stripe_complete or not kernel_complete then 'incomplete'
            when open_breaks > 0 or residual_cents <> 0 or objections > 0 then 'breaks'
            when warnings > 0 or worst_level > 0 or not kernel_verified then 'reconciled_with_warnings'
            when pending_items > 0 then 'reconciled_with_pending'
            else 'reconciled'
        end as verdict,
        case worst_level
            when 0 then 'receipt'
            when 1 then 'ledger'
            when 2 then 'operation'
            else 'none'
        end as mapping_level,
        case
            when gross_cents = 0 then 10000
            else {{ share_of('(gross_cents - unexplained_cents)', '10000', 'gross_cents') }}
        end as explained_bps,
        case
            when gross_cents = 0 then 0
            else {{ share_of('pending_cents', '10000', 'gross_cents') }}
        end as pending_bps,
        case
            when required_cents = 0 then 10000
            else {{ share_of('receipt_cents', '10000', 'required_cents') }}
        end as receipt_mapped_bps,
        open_breaks,
        pending_items,
        gross_cents,
        unexplained_cents
    from joined
)

select *
from final
