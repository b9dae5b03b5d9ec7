-- grain: one payout key: the best kernel source its money can be traced to
{{ config(materialized='carried', carried_key=['tenant_id', 'payout_key']) }}
with ledger as (
    select
        tenant_id,
        payout_key,
        {{ sum_cents('owed_cents') }} as owed_cents,
        count(*) as entries
    from {{ ref('int_ledger_sources') }}
    group by tenant_id, payout_key
),

final as (
    select
        positions.tenant_id,
        positions.payout_key,
        positions.party_id,
        positions.period,
        positions.currency,
        positions.gross_cents,
        links.linked_cents,
        coalesce(links.links, 0) as links,
        coalesce(links.unresolved_links, 0) as unresolved_links,
        case
            when links.links > 0 and links.unresolved_links = 0 and links.linked_cents = positions.gross_cents
                then 'receipt'
            when ledger.entries > 0 and ledger.owed_cents = positions.gross_cents then 'ledger'
            when positions.operation_id is not null then 'operation'
            else 'none'
        end as mapping_level,
        case
            when links.links > 0 and links.unresolved_links = 0 and links.linked_cents = positions.gross_cents
                then case when links.receipt_links > 0 then 'receipt' else 'adjustment' end
            when ledger.entries > 0 and ledger.owed_cents = positions.gross_cents then 'ledger_entry'
            when positions.operation_id is not null then 'operation'
            else 'none'
        end as kernel_reference_type,
        links.links > 0 and links.linked_cents <> positions.gross_cents as has_link_variance
    from {{ ref('int_payout_positions') }} as positions
    left join {{ ref('int_link_totals') }} as links
        on
            positions.tenant_id = links.tenant_id
            and positions.payout_key = links.payout_key
    left join ledger
        on
            positions.tenant_id = ledger.tenant_id
            and positions.payout_key = ledger.payout_key
)

select *
from final
