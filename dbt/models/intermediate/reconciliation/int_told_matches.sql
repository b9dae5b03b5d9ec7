-- grain: one moment at which an item of an earlier publication had found its other side, as that publication had it
with final as (
    select
        history.break_id,
        history.tenant_id,
        history.stated_at,
        matches.matched_at,
        matches.matched_cents
    from {{ ref('int_open_item_history') }} as history
    inner join {{ ref('stg_tieout__item_matches') }} as matches
        on
            history.run_id = matches.run_id
            and history.break_id = matches.break_id
)

select *
from final
