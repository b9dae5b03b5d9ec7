-- grain: one transfer of the platform: which instruction it settles and by which rule
with final as (
    select
        tenant_id,
        transfer_id,
        payout_key,
        match_method,
        case match_method
            when 'operation' then 'its metadata name the operation or payout key'
            when 'transfer' then 'the operation names this transfer'
            when 'transfer_group' then 'its transfer group is the payout key'
            when 'nearest_amount' then 'no reference; the only instruction that fits its amount, account and window, and it fits no other'
            else coalesce('unmatched: ' || unmatched_code, 'unmatched')
        end as rule,
        amount_cents,
        currency,
        destination_account_id,
        created_at
    from {{ ref('int_transfer_matches') }}
)

select *
from final
