-- grain: one moment at which a payout, collection or refund that is open now, or was before, found its other side
with followed as (
    select
        break_id,
        item_kind,
        tenant_id,
        currency,
        case when item_kind = 'payout' then payout_key else rail_object_id end as match_key
    from {{ ref('int_open_items') }}
    where item_kind in ('payout', 'collection', 'refund')

    union distinct

    select
        break_id,
        item_kind,
        tenant_id,
        currency,
        case when item_kind = 'payout' then payout_key else rail_object_id end as match_key
    from {{ ref('int_open_item_history') }}
    where item_kind in ('payout', 'collection', 'refund')
),

final as (
    select
        followed.break_id,
        followed.item_kind,
        followed.tenant_id,
        followed.currency,
        followed.match_key,
        matches.matched_at,
        {{ sum_cents('matches.matched_cents') }} as matched_cents
    from followed
    inner join {{ ref('int_matches') }} as matches
        on
            followed.item_kind = matches.item_kind
            and followed.tenant_id = matches.tenant_id
            and followed.currency = matches.currency
            and followed.match_key = matches.match_key
    group by
        followed.break_id, followed.item_kind, followed.tenant_id, followed.currency, followed.match_key,
        matches.matched_at
)

select *
from final
