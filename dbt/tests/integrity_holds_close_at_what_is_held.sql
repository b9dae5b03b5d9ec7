-- The last closing of a party's holdback equals what the exposure model may count on.
with newest as (
    select
        tenant_id,
        party_key,
        currency,
        max(period) as period
    from {{ ref('holdback_rollforward') }}
    group by tenant_id, party_key, currency
),

held as (
    select
        tenant_id,
        coalesce(party_id, '') as party_key,
        currency,
        {{ sum_cents('held_cents') }} as held_cents
    from {{ ref('source_positions') }}
    where source_type = 'holdback'
    group by tenant_id, coalesce(party_id, ''), currency
)

select
    rolled.tenant_id,
    rolled.party_key,
    rolled.currency,
    rolled.closing_cents,
    held.held_cents
from {{ ref('holdback_rollforward') }} as rolled
inner join newest
    on
        rolled.tenant_id = newest.tenant_id
        and rolled.party_key = newest.party_key
        and rolled.currency = newest.currency
        and rolled.period = newest.period
left join held
    on
        rolled.tenant_id = held.tenant_id
        and rolled.party_key = held.party_key
        and rolled.currency = held.currency
where rolled.closing_cents <> coalesce(held.held_cents, 0)
