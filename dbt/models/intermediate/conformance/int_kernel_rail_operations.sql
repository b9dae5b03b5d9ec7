-- grain: one payout operation of a provider, under the month its payout key names
with final as (
    select
        tenant_id,
        provider_id,
        operation_id,
        payout_key,
        regexp_extract(payout_key, ':period:([0-9]{4}-[0-9]{2}):', 1) as period,
        amount_cents,
        coalesce(upper(currency), 'USD') as currency,
        operation_state,
        reason_code
    from {{ ref('stg_kernel__money_rail_operations') }}
    where direction = 'payout'
)

select *
from final
