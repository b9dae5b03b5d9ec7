-- grain: one platform transfer without any reference, and the instruction that is nearest to it and it to the instruction
with pairs as (
    select *
    from {{ ref('int_transfer_pairs') }}
    where payout_key is not null
),

-- Two fixed passes: what the first has matched no longer stands in the way of the second.
{{ mutual_best('pairs', 'first_pass') }},

left_over as (
    select pairs.*
    from pairs
    left join first_pass as by_transfer
        on pairs.transfer_id = by_transfer.transfer_id
    left join first_pass as by_payout
        on
            pairs.tenant_id = by_payout.tenant_id
            and pairs.payout_key = by_payout.payout_key
    where
        by_transfer.transfer_id is null
        and by_payout.transfer_id is null
),

{{ mutual_best('left_over', 'second_pass') }},

matched as (
    select * from first_pass
    union all
    select * from second_pass
),

final as (
    select
        near.transfer_id,
        min(near.tenant_id) as tenant_id,
        min(matched.payout_key) as payout_key,
        count(near.payout_key) as candidates
    from {{ ref('int_transfer_pairs') }} as near
    left join matched
        on near.transfer_id = matched.transfer_id
    group by near.transfer_id
)

select *
from final
