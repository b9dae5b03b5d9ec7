-- grain: one tenant, currency, told month opened and month cleared: matched money as the publication had it that told the month
with told as (
    select
        spans.tenant_id,
        spans.currency,
        spans.opened_period,
        spans.cleared_period,
        spans.amount_cents,
        spans.items,
        -- Two publications of one instant say one thing; the later of them is kept.
        dense_rank() over (partition by spans.tenant_id, spans.as_of order by spans.run_id desc nulls last) as run_rank
    from {{ ref('stg_tieout__matched_spans') }} as spans
    inner join {{ ref('int_told_months') }} as months
        on
            spans.tenant_id = months.tenant_id
            and spans.opened_period = months.period
            and spans.as_of = months.told_at
),

final as (
    select
        tenant_id,
        currency,
        opened_period,
        cleared_period,
        amount_cents,
        items
    from told
    where run_rank = 1
)

select *
from final
