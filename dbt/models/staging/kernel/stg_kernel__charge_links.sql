-- grain: one source of a charge
{{ carry_landing('kernel', 'charge_links', key=['tenant_id', 'charge_id', 'party_id', 'source_type', 'source_id']) }}
with
{{ latest_landed('kernel', 'charge_links', key=['tenant_id', 'charge_id', 'party_id', 'source_type', 'source_id']) }},

final as (
    select
        tenant_id,
        charge_id,
        party_id,
        source_type,
        source_id,
        amount_cents,
        currency,
        verdict,
        coalesce(is_vouched, false) as is_vouched
    from latest
)

select *
from final
