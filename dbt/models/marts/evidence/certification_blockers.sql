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
        'EXPORT_UNVERIFIED' as blocker,
        1 as blocked_items,
        manifest_status as first_code,
        coalesce(signer_keyid, 'none') as first_item
    from {{ ref('stg_kernel__export_manifests') }}
    where manifest_status <> 'trusted'
),

incomplete as (
    select
        tenant_id,
        'all' as period,
        'SOURCE_INCOMPLETE' as blocker,
        1 as blocked_items,
        case when kernel_complete then 'stripe' else 'kernel' end as first_code,
        case when kernel_complete then 'stripe' else 'kernel' end as first_item
    from {{ ref('int_source_completeness') }}
    where not (kernel_complete and stripe_complete)
),

final as (
    select * from failed_identities
    union all
    select * from unverified
    union all
    select * from untrusted
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
