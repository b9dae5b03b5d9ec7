-- grain: one run
with
{{ all_landed('tieout', 'run_log') }},

final as (
    select
        run_id,
        as_of,
        known_at,
        started_at
    from latest
)

select *
from final
