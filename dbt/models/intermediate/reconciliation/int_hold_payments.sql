-- grain: one verified hold with what its links took off a payout and gave back to one
-- A hold is taken off its receipt by a negative link and comes back by a positive one or by an adjustment.
with
{{ source_payments() }},

hold_links as (
    select
        tenant_id,
        source_id as hold_hash,
        currency,
        count(case when instructed_cents < 0 then 1 end) as deductions,
        count(case when instructed_cents > 0 then 1 end) as returns,
        {{ sum_cents('case when instructed_cents < 0 then instructed_cents end') }} as deducted_cents,
        {{ sum_cents('case when instructed_cents < 0 then paid_cents end') }} as deducted_paid_cents,
        {{ sum_cents('case when instructed_cents < 0 then reversed_cents end') }} as deducted_reversed_cents,
        {{ sum_cents('case when instructed_cents > 0 then instructed_cents end') }} as returned_cents,
        {{ sum_cents('case when instructed_cents > 0 then paid_cents end') }} as returned_paid_cents,
        {{ sum_cents('case when instructed_cents > 0 then reversed_cents end') }} as returned_reversed_cents
    from of_links
    where source_type = 'holdback'
    group by tenant_id, source_id, currency
),

final as (
    select
        holds.*,
        hold_links.deductions,
        hold_links.returns,
        coalesce(hold_links.deducted_cents, 0) as deducted_cents,
        coalesce(hold_links.deducted_paid_cents, 0) as deducted_paid_cents,
        coalesce(hold_links.deducted_reversed_cents, 0) as deducted_reversed_cents,
        coalesce(hold_links.returned_cents, 0) as returned_cents,
        coalesce(hold_links.returned_paid_cents, 0) as returned_paid_cents,
        coalesce(hold_links.returned_reversed_cents, 0) as returned_reversed_cents,
        -- Made and silently released within one month, it left no link: its money is part of the receipt's.
        holds.hold_status = 'released'
        and holds.release_adjustment_id is null
        and coalesce(hold_links.deductions, 0) = 0
        and coalesce(hold_links.returns, 0) = 0 as is_folded
    from {{ ref('int_hold_positions') }} as holds
    left join hold_links
        on
            holds.tenant_id = hold_links.tenant_id
            and holds.hold_hash = hold_links.hold_hash
            and holds.currency = hold_links.currency
)

select *
from final
