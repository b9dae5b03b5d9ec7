-- grain: one payout instruction: what its tenant committed today to payouts outside the sequence, in its currency
with day_totals as (
    select
        totals.tenant_id,
        totals.currency,
        {{ sum_cents('totals.amount_cents') }} as committed_cents
    from {{ ref('int_payout_day_totals') }} as totals
    left join {{ ref('int_gate_sequence') }} as sequence
        on
            totals.tenant_id = sequence.tenant_id
            and totals.payout_key = sequence.payout_key
            and sequence.is_candidate
    -- A candidate's own operation is the candidate: it is counted once, in the sequence.
    where sequence.payout_key is null
    group by totals.tenant_id, totals.currency
),

final as (
    select
        sequence.tenant_id,
        sequence.payout_key,
        -- Nor does what is committed for a payout that is no candidate count against that payout itself.
        coalesce(day_totals.committed_cents, 0)
        - case when sequence.is_candidate then 0 else coalesce(own.amount_cents, 0) end as committed_cents
    from {{ ref('int_gate_sequence') }} as sequence
    left join day_totals
        on
            sequence.tenant_id = day_totals.tenant_id
            and sequence.currency = day_totals.currency
    left join {{ ref('int_payout_day_totals') }} as own
        on
            sequence.tenant_id = own.tenant_id
            and sequence.payout_key = own.payout_key
)

select *
from final
