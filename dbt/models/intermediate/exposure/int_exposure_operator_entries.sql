-- grain: one posting of a write-off or repayment of a party's debt; those of a break belong to the open items
{{ config(materialized='view') }}
with final as (
    select
        tenant_id,
        party_id,
        coalesce(party_id, '') as party_key,
        currency,
        entry_kind,
        write_off_id || ':' || posting as entry_id,
        write_off_id as source_id,
        cast(null as {{ dbt.type_string() }}) as source_status,
        posted_at as occurred_at,
        -amount_cents as debt_cents
    from {{ ref('int_write_offs') }}
    where break_id is null
)

select *
from final
