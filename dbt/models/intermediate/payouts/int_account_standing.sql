-- grain: one account at the rail, with its standing by today's fields
{{ config(materialized='view') }}
with stated as (
    select
        account_id,
        coalesce(payouts_enabled, false) as is_payouts_enabled,
        coalesce(capability_transfers, 'absent') as capability_transfers,
        disabled_reason,
        coalesce(details_submitted, false) as is_details_submitted,
        coalesce(currently_due_count, 0) as currently_due_count,
        coalesce(past_due_count, 0) as past_due_count,
        coalesce(pending_verification_count, 0) as pending_verification_count
    from {{ ref('stg_stripe__accounts') }}
),

final as (
    select
        account_id,
        is_payouts_enabled,
        capability_transfers,
        disabled_reason,
        case
            when disabled_reason like 'rejected.%' then 'rejected'
            when disabled_reason in ('requirements.pending_verification', 'under_review') then 'pending'
            when disabled_reason is not null or past_due_count > 0 or not is_details_submitted then 'restricted'
            when
                is_payouts_enabled
                and capability_transfers = 'active'
                and currently_due_count = 0
                and pending_verification_count = 0
                then 'verified'
            else 'pending'
        end as kyb_state,
        -- What is due but not overdue stops nothing at the rail, and nothing here.
        is_payouts_enabled and capability_transfers = 'active' and disabled_reason is null and past_due_count = 0 as is_capable
    from stated
)

select *
from final
