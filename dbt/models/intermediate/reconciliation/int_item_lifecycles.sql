-- grain: one item open now, or open in the publication before; an item leaves only when its sources were read again
{{ config(materialized='view') }}
with found as (
    select
        items.break_id,
        items.tenant_id,
        items.party_id,
        items.period,
        items.currency,
        items.outcome,
        items.reason_code,
        items.expected_cents,
        items.actual_cents,
        items.kernel_object_id,
        items.rail_object_id,
        items.payout_key,
        -- What its source gives no time for is expected since it was first seen.
        coalesce(items.expected_by, history.first_seen_at, run.as_of) as expected_by,
        coalesce(history.first_seen_at, run.as_of) as first_seen_at,
        case
            when history.break_id is null then 'new'
            when history.is_left_open then 'persisting'
            else 'reopened'
        end as lifecycle
    from {{ ref('int_open_items') }} as items
    cross join {{ ref('stg_tieout__run') }} as run
    left join {{ ref('int_item_history') }} as history
        on items.break_id = history.break_id
),

gone as (
    select history.*
    from {{ ref('int_item_history') }} as history
    left join {{ ref('int_open_items') }} as items
        on history.break_id = items.break_id
    where
        history.is_left_open
        and items.break_id is null
),

unverified as (
    select
        tenant_id,
        artifact_id
    from {{ ref('stg_kernel__artifact_verdicts') }}
    where verdict = 'mismatch'
    group by tenant_id, artifact_id
),

-- The absence of a source proves nothing: unread, or no longer verified, it leaves the item as it was.
judged as (
    select
        gone.*,
        coalesce(completeness.stripe_complete and completeness.kernel_complete, false)
        and unverified.artifact_id is null as is_read_again
    from gone
    left join {{ ref('int_source_completeness') }} as completeness
        on gone.tenant_id = completeness.tenant_id
    left join unverified
        on
            gone.tenant_id = unverified.tenant_id
            and gone.kernel_object_id = unverified.artifact_id
),

vanished as (
    select
        break_id,
        tenant_id,
        party_id,
        period,
        currency,
        case when is_read_again then 'ok' else outcome end as outcome,
        reason_code,
        expected_cents,
        actual_cents,
        kernel_object_id,
        rail_object_id,
        payout_key,
        expected_by,
        first_seen_at,
        case when is_read_again then 'resolved' else 'persisting' end as lifecycle
    from judged
),

final as (
    select
        *,
        true as is_found
    from found

    union all

    select
        *,
        false as is_found
    from vanished
)

select *
from final
