-- grain: one party (null: unattributed) of a tenant in one currency and month, from its first activity on
{{ config(materialized='view') }}
with parties as (
    select
        exposure_key,
        tenant_id,
        party_id,
        currency,
        min(period) as first_period
    from {{ ref('int_exposure_entries') }}
    group by exposure_key, tenant_id, party_id, currency
),

months as (
    select
        tenant_id,
        period
    from {{ ref('int_exposure_entries') }}

    union distinct

    select
        parties.tenant_id,
        calendar.period
    from parties
    inner join {{ ref('int_calendar_months') }} as calendar
        on parties.first_period <= calendar.period
),

last_entries as (
    select
        exposure_key,
        period,
        max(entry_rank) as entry_rank
    from {{ ref('int_exposure_entries') }}
    group by exposure_key, period
),

-- The closing comes from the last balance up to the month, not from the movements it is compared with.
placed as (
    select
        parties.exposure_key,
        parties.tenant_id,
        parties.party_id,
        parties.currency,
        months.period,
        max(last_entries.entry_rank) over (
            partition by parties.exposure_key
            order by months.period asc nulls last
            rows between unbounded preceding and current row
        ) as entry_rank
    from parties
    inner join months
        on
            parties.tenant_id = months.tenant_id
            and parties.first_period <= months.period
    left join last_entries
        on
            parties.exposure_key = last_entries.exposure_key
            and months.period = last_entries.period
),

final as (
    select
        placed.exposure_key,
        placed.tenant_id,
        placed.party_id,
        placed.currency,
        placed.period,
        entries.balance_cents as closing_cents
    from placed
    inner join {{ ref('int_exposure_entries') }} as entries
        on
            placed.exposure_key = entries.exposure_key
            and placed.entry_rank = entries.entry_rank
)

select *
from final
