-- grain: one source of a payout
{{ carry_landing('kernel', 'receipt_payout_links', key=['tenant_id', 'payout_key', 'source_type', 'source_id']) }}
with
{{ latest_landed('kernel', 'receipt_payout_links', key=['tenant_id', 'payout_key', 'source_type', 'source_id']) }},

final as (
    select
        tenant_id,
        payout_key,
        source_type,
        source_id,
        source_hash,
        amount_cents,
        currency,
        verdict,
        coalesce(is_vouched, false) as is_vouched
    from latest
)

select *
from final
