-- grain: one break id and publication that changed it, or this build: what of it was open then and what had found its other side
with known as (
    select *
    from (
        select
            *,
            row_number() over (partition by break_id order by stated_at desc nulls last) as newest_rank
        from {{ ref('int_open_item_history') }}
    ) as ranked
    where newest_rank = 1
),

found as (
    select
        items.break_id,
        items.tenant_id,
        items.currency,
        items.item_kind,
        items.payout_key,
        items.rail_object_id,
        coalesce(known.opened_at, items.since_at, lifecycles.first_seen_at) as opened_at,
        run.as_of as stated_at,
        items.expected_cents - items.actual_cents as drift_cents,
        items.unexplained_cents as open_cents,
        true as is_of_run,
        case when items.item_kind in ('payout', 'collection', 'refund') then items.actual_cents else 0 end as matched_cents
    from {{ ref('int_open_items') }} as items
    cross join {{ ref('stg_tieout__run') }} as run
    inner join {{ ref('int_item_lifecycles') }} as lifecycles
        on items.break_id = lifecycles.break_id
    left join known
        on items.break_id = known.break_id
),

-- What is found no more is open where its source was not read again, and over where it was.
unfound as (
    select
        lifecycles.break_id,
        lifecycles.tenant_id,
        lifecycles.currency,
        known.item_kind,
        lifecycles.payout_key,
        lifecycles.rail_object_id,
        coalesce(known.opened_at, lifecycles.first_seen_at) as opened_at,
        run.as_of as stated_at,
        lifecycles.expected_cents - lifecycles.actual_cents as drift_cents,
        case
            when lifecycles.lifecycle = 'resolved' then 0
            else coalesce(known.open_cents, abs(lifecycles.expected_cents - lifecycles.actual_cents))
        end as open_cents,
        true as is_of_run
    from {{ ref('int_item_lifecycles') }} as lifecycles
    cross join {{ ref('stg_tieout__run') }} as run
    left join known
        on lifecycles.break_id = known.break_id
    where not lifecycles.is_found

    union all

    -- What was over before is over since then, with what has been matched of it by now.
    select
        known.break_id,
        known.tenant_id,
        known.currency,
        known.item_kind,
        known.payout_key,
        known.rail_object_id,
        known.opened_at,
        known.stated_at,
        known.drift_cents,
        0 as open_cents,
        false as is_of_run
    from known
    left join {{ ref('int_item_lifecycles') }} as lifecycles
        on known.break_id = lifecycles.break_id
    where lifecycles.break_id is null
),

present as (
    select
        unfound.*,
        case unfound.item_kind
            when 'payout' then coalesce(payouts.settled_cents, 0)
            when 'collection' then coalesce(collections.matched_cents, 0)
            when 'refund' then coalesce(refunds.refunded_cents, 0)
            else 0
        end as matched_cents
    from unfound
    left join {{ ref('int_payout_positions') }} as payouts
        on
            unfound.item_kind = 'payout'
            and unfound.tenant_id = payouts.tenant_id
            and unfound.payout_key = payouts.payout_key
    left join {{ ref('int_collection_positions') }} as collections
        on
            unfound.item_kind = 'collection'
            and unfound.tenant_id = collections.tenant_id
            and unfound.rail_object_id = collections.charge_id
            and unfound.currency = collections.currency
    left join {{ ref('int_refund_positions') }} as refunds
        on
            unfound.item_kind = 'refund'
            and unfound.tenant_id = refunds.tenant_id
            and unfound.rail_object_id = refunds.charge_id
            and unfound.currency = refunds.currency

    union all

    select *
    from found
),

final as (
    select
        history.break_id,
        history.tenant_id,
        history.currency,
        history.item_kind,
        history.payout_key,
        history.rail_object_id,
        history.opened_at,
        history.stated_at,
        history.drift_cents,
        history.open_cents,
        history.matched_cents,
        false as is_of_run
    from {{ ref('int_open_item_history') }} as history
    left join present
        on
            history.break_id = present.break_id
            and history.stated_at = present.stated_at
    where present.break_id is null

    union all

    select
        break_id,
        tenant_id,
        currency,
        item_kind,
        payout_key,
        rail_object_id,
        opened_at,
        stated_at,
        drift_cents,
        open_cents,
        matched_cents,
        is_of_run
    from present
)

select *
from final
