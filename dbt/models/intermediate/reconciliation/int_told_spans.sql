-- grain: one tenant, currency, told month opened and month cleared: matched money as the publication had it that told the month
with periods as (
    select distinct
        tenant_id,
        opened_period
    from {{ ref('stg_tieout__matched_spans') }}
),

told_by as {{ told_by('periods', 'opened_period') }},

told as (
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
    inner join told_by
        on
            spans.tenant_id = told_by.tenant_id
            and spans.opened_period = told_by.opened_period
            and spans.as_of = told_by.told_at
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
