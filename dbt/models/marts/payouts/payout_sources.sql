-- grain: one source that a payout released or consumed by this run uses up
with final as (
    select
        links.tenant_id,
        links.payout_key,
        links.source_type,
        links.source_id,
        links.currency,
        {{ sum_cents('links.amount_cents') }} as amount_cents
    from {{ ref('int_payout_links') }} as links
    inner join {{ ref('payout_gates') }} as gates
        on
            links.tenant_id = gates.tenant_id
            and links.payout_key = gates.payout_key
    where
        gates.decision in ('release', 'consumed')
        and links.source_type in ('receipt', 'adjustment', 'ledger_entry', 'holdback')
        and links.amount_cents > 0
    group by links.tenant_id, links.payout_key, links.source_type, links.source_id, links.currency
)

select *
from final
