-- grain: one tenant, month (or `all`) and kind of objection to certifying it
with failed_identities as (
    select
        tenant_id,
        period,
        'TIE_OUT_FAILS' as blocker,
        count(*) as blocked_items,
        min(tie_out) as first_code,
        min(account_id) as first_item
    from {{ ref('tie_outs') }}
    where
        not holds
        and tie_out in (
            'ledger_entry_is_zero', 'ledger_total_equals_lines', 'ledger_equals_statement', 'entry_sets_equal',
            'balance_delta_is_zero', 'holdback_rolls_forward', 'payout_equals_statement'
        )
    group by tenant_id, period
),

unverified as (
    select
        tenant_id,
        coalesce(period, 'all') as period,
        'ARTIFACT_UNVERIFIED' as blocker,
        count(distinct artifact_type || '/' || artifact_id) as blocked_items,
        min(code) as first_code,
        min(artifact_id) as first_item
    from {{ ref('int_artifact_faults') }}
    where verdict <> 'explained'
    group by tenant_id, coalesce(period, 'all')
),

untrusted as (
    select
        tenant_id,
        'all' as period,
        manifest_status as code,
        coalesce(signer_keyid, 'none') as item
    from {{ ref('stg_kernel__export_manifests') }}
    where manifest_status <> 'trusted'

    union all

    -- What came in such an export stays unverified after a later one is signed, until that one carries it too.
    select
        unvouched.tenant_id,
        unvouched.period,
        'not_in_a_trusted_export' as code,
        unvouched.artifact_type || '/' || unvouched.artifact_id as item
    from {{ ref('int_unvouched_artifacts') }} as unvouched
    inner join {{ ref('stg_kernel__export_manifests') }} as manifests
        on unvouched.tenant_id = manifests.tenant_id
    where manifests.manifest_status = 'trusted'
),

unverified_exports as (
    select
        tenant_id,
        period,
        'EXPORT_UNVERIFIED' as blocker,
        count(*) as blocked_items,
        min(code) as first_code,
        min(item) as first_item
    from untrusted
    group by tenant_id, period
),

sources_left_open as (
    select
        tenant_id,
        case when kernel_complete then 'stripe' else 'kernel' end as source
    from {{ ref('int_source_completeness') }}
    where not (kernel_complete and stripe_complete)

    union all

    select
        tenant_id,
        'stripe_report' as source
    from {{ ref('int_refused_reports') }}
),

incomplete as (
    select
        tenant_id,
        'all' as period,
        'SOURCE_INCOMPLETE' as blocker,
        count(*) as blocked_items,
        min(source) as first_code,
        min(source) as first_item
    from sources_left_open
    group by tenant_id
),

final as (
    select * from failed_identities
    union all
    select * from unverified
    union all
    select * from unverified_exports
    union all
    select * from incomplete
)

select
    tenant_id,
    period,
    blocker,
    cast(blocked_items as bigint) as blocked_items,
    first_code,
    first_item
from final
