-- grain: one operator line, those that do not count included
with lines as (
    select
        *,
        case when action in ('kill', 'unkill') then 'payout_kill_switch' else field end as set_field
    from {{ ref('stg_tieout__controls') }}
),

-- What was set before in exactly the same scope, and whether anything was set there since.
placed as (
    select
        *,
        lag(value) over (
            partition by line_status, tenant_id, provider_id, set_field
            order by seq asc nulls last
        ) as previous_value,
        row_number() over (
            partition by line_status, tenant_id, provider_id, set_field
            order by seq desc nulls last
        ) as newest_rank
    from lines
),

final as (
    select
        coalesce(tenant_id, '_platform') as tenant_id,
        seq,
        provider_id,
        action,
        set_field as field,
        value,
        case when line_status = 'valid' then previous_value end as previous_value,
        operator,
        second_operator,
        occurred_at as {{ adapter.quote('at') }},
        reason,
        line_status,
        void_code,
        line_status = 'valid' and newest_rank = 1 as is_in_force
    from placed
)

select *
from final
