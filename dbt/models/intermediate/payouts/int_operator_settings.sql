-- grain: one scope (tenant or '*', provider or all) and field: the newest valid operator line
with lines as (
    select
        seq,
        tenant_id,
        provider_id,
        case when action in ('kill', 'unkill') then 'payout_kill_switch' else field end as field,
        case action when 'kill' then 'true' when 'unkill' then 'false' else value end as value_text,
        occurred_at
    from {{ ref('stg_tieout__controls') }}
    where line_status = 'valid'
),

ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, provider_id, field
            order by seq desc nulls last
        ) as latest_rank
    from lines
),

final as (
    select
        tenant_id,
        provider_id,
        coalesce(provider_id, '') as provider_key,
        field,
        value_text,
        -- A limit: null is unlimited and said so; digits are an amount; anything else allows nothing.
        case
            when value_text = 'null' then null
            when length(value_text) between 1 and 16 and translate(value_text, '0123456789', '') = ''
                then cast(value_text as bigint)
            else 0
        end as limit_cents,
        seq,
        occurred_at
    from ranked
    where latest_rank = 1
)

select *
from final
