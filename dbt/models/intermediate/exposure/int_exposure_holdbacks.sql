-- grain: one party of a tenant in one currency: money held back from it that could cover a debt
with final as (
    select
        tenant_id,
        party_id,
        currency,
        {{ sum_cents('held_cents') }} as holdback_cents
    from {{ ref('int_hold_positions') }}
    where
        hold_status = 'held'
        and may_fund
        and party_id is not null
    group by tenant_id, party_id, currency
)

select *
from final
