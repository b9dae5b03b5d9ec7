-- grain: one kernel receipt
{{ carry_landing('kernel', 'settlement_receipts', key=['tenant_id', 'receipt_id']) }}
with
{{ first_landed('kernel', 'settlement_receipts', key=['tenant_id', 'receipt_id']) }},

final as (
    select
        tenant_id,
        receipt_id,
        run_id,
        settlement_id,
        decision_id,
        decision_hash,
        status as receipt_status,
        amount_cents,
        released_amount_cents,
        refunded_amount_cents,
        release_rate_pct,
        currency,
        settled_at,
        coalesce(settled_at_malformed, false) as settled_at_malformed,
        created_at,
        receipt_hash,
        verdict,
        coalesce(is_vouched, false) as is_vouched
    from original
)

select *
from final
