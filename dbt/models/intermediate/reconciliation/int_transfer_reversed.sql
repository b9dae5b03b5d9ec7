-- grain: one platform transfer that was taken back, in whole or in part, by movements of the balance
{{ config(materialized='view') }}
with final as (
    select
        transfer_id,
        {{ sum_cents('directed_cents') }} as reversed_cents,
        min(occurred_at) as first_reversed_at
    from {{ ref('int_movements_linked') }}
    where
        is_platform
        and movement_type = 'payout_reversal'
        and transfer_id is not null
        and not is_repeat
    group by transfer_id
)

select *
from final
