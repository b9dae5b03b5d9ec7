-- What rose and fell of a break is what is open of it, or nothing where it is written off.
with summed as (
    select
        break_id,
        {{ sum_cents('change_cents') }} as left_cents
    from {{ ref('int_open_item_changes') }}
    group by break_id
),

newest as (
    select
        break_id,
        open_cents,
        row_number() over (partition by break_id order by stated_at desc nulls last) as newest_rank
    from {{ ref('int_open_item_states') }}
),

given_up as (
    select distinct states.break_id
    from {{ ref('int_open_item_states') }} as states
    inner join {{ ref('int_write_offs') }} as write_offs
        on
            states.break_id = write_offs.break_id
            and states.tenant_id = write_offs.tenant_id
            and states.currency = write_offs.currency
            and states.drift_cents = write_offs.drift_cents
    where
        states.is_of_run
        and write_offs.is_standing
)

select
    newest.break_id,
    newest.open_cents,
    summed.left_cents
from newest
left join summed
    on newest.break_id = summed.break_id
left join given_up
    on newest.break_id = given_up.break_id
where
    newest.newest_rank = 1
    and coalesce(summed.left_cents, 0) <> case when given_up.break_id is null then newest.open_cents else 0 end
