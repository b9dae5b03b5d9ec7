-- grain: one party (null: unattributed) of a tenant in one currency and month, from its first activity on
with movements as (
    select
        exposure_key,
        period,
        {{ sum_cents("case when entry_kind = 'dispute' then applied_cents end") }} as disputes_cents,
        {{ sum_cents("case when entry_kind = 'fee' then applied_cents end") }} as fees_cents,
        {{ sum_cents("case when entry_kind = 'refund' then applied_cents end") }} as refunds_cents,
        {{ sum_cents("case when entry_kind in ('reversal', 'netting') then -applied_cents end") }} as recoveries_cents,
        {{ sum_cents("case when entry_kind = 'reinstatement' then -applied_cents end") }} as reinstatements_cents,
        {{ sum_cents("case when entry_kind = 'write_off' then -applied_cents end") }} as write_offs_cents,
        {{ sum_cents("case when entry_kind = 'repayment' then -applied_cents end") }} as repayments_cents,
        {{ sum_cents('excess_cents') }} as excess_cents
    from {{ ref('int_exposure_entries') }}
    group by exposure_key, period
),

opened as (
    select
        *,
        coalesce(lag(closing_cents) over (
            partition by exposure_key
            order by period asc nulls last
        ), 0) as opening_cents
    from {{ ref('int_exposure_months') }}
),

joined as (
    select
        opened.exposure_key,
        opened.tenant_id,
        opened.party_id,
        opened.currency,
        opened.period,
        opened.opening_cents,
        coalesce(movements.disputes_cents, 0) as disputes_cents,
        coalesce(movements.fees_cents, 0) as fees_cents,
        coalesce(movements.refunds_cents, 0) as refunds_cents,
        coalesce(movements.recoveries_cents, 0) as recoveries_cents,
        coalesce(movements.reinstatements_cents, 0) as reinstatements_cents,
        coalesce(movements.write_offs_cents, 0) as write_offs_cents,
        coalesce(movements.repayments_cents, 0) as repayments_cents,
        coalesce(movements.excess_cents, 0) as excess_cents,
        opened.closing_cents
    from opened
    left join movements
        on
            opened.exposure_key = movements.exposure_key
            and opened.period = movements.period
),

final as (
    select
        *,
        opening_cents + disputes_cents + fees_cents + refunds_cents
        - recoveries_cents - reinstatements_cents - write_offs_cents - repayments_cents
        - closing_cents as residual_cents
    from joined
)

select *
from final
