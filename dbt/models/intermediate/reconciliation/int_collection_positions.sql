-- grain: one charge of a tenant in one currency that the kernel or the rail knows: expected, collected, open
{{ config(
    materialized='carried',
    carried_key=['charge_id'],
    touched_by="""
        select charge_id from changed.int_charge_sources
        union all
        select charge_id from changed.int_charge_owners
        union all
        select charge_id from changed.int_movements_linked
        union all
        -- Only what is open depends on the day and on what was read.
        select charge_id from carried.intermediate.int_collection_positions where open_code is not null
    """,
    narrowed={
        'int_charge_sources': ['charge_id'],
        'int_charge_owners': ['charge_id'],
        'int_movements_linked': ['charge_id'],
    },
) }}
-- What its receipts say the customer paid.
with expected as (
    select
        sources.tenant_id,
        sources.charge_id,
        sources.currency,
        min(sources.party_id) as party_id,
        min(sources.receipt_id) as receipt_id,
        count(*) as sources,
        {{ sum_cents('sources.amount_cents') }} as expected_cents,
        min(sources.receipted_at) as receipted_at,
        {{ add_days('min(sources.receipted_at)', 'min(run.collection_due_days)') }} as expected_by
    from {{ ref('int_charge_sources') }} as sources
    cross join {{ ref('stg_tieout__run') }} as run
    group by sources.tenant_id, sources.charge_id, sources.currency
),

collected as {{ inlined() }} (
    select
        charge_id,
        claimed_currency as currency,
        claimed_cents,
        occurred_at,
        is_converted
    from {{ ref('int_movements_linked') }}
    where
        is_platform
        and movement_type = 'collection'
        and charge_id is not null
        and not is_repeat
),

charges as {{ inlined() }} (
    select
        charge_id,
        min(currency) as currency,
        max(currency) as last_currency,
        {{ sum_cents('claimed_cents') }} as collected_cents,
        min(occurred_at) as collected_at,
        max(case when is_converted then 1 else 0 end) = 1 as is_converted
    from collected
    group by charge_id
),

-- Few charges are collected in several currencies, so only they are added up by currency.
several as (
    select
        collected.charge_id,
        collected.currency,
        {{ sum_cents('collected.claimed_cents') }} as collected_cents,
        min(collected.occurred_at) as collected_at,
        max(case when collected.is_converted then 1 else 0 end) = 1 as is_converted
    from collected
    inner join charges
        on
            collected.charge_id = charges.charge_id
            and charges.currency <> charges.last_currency
    group by collected.charge_id, collected.currency
),

of_currency as (
    select
        several.charge_id,
        several.currency,
        several.collected_cents,
        several.collected_at,
        several.is_converted,
        min(others.currency) as other_currency
    from several
    inner join several as others
        on
            several.charge_id = others.charge_id
            and several.currency <> others.currency
    group by
        several.charge_id, several.currency, several.collected_cents, several.collected_at, several.is_converted
),

joined as (
    select
        expected.*,
        -- A charge that two tenants claim backs neither: one receipt a charge, once.
        owners.charge_id is null as is_contested,
        case
            when owners.charge_id is null then 0
            when of_currency.charge_id is not null then of_currency.collected_cents
            when charges.currency = charges.last_currency and charges.currency = expected.currency then charges.collected_cents
            else 0
        end as collected_cents,
        case
            when owners.charge_id is null then null
            when of_currency.charge_id is not null then of_currency.collected_at
            when charges.currency = charges.last_currency and charges.currency = expected.currency then charges.collected_at
        end as collected_at,
        case
            when owners.charge_id is null then false
            when of_currency.charge_id is not null then of_currency.is_converted
            when charges.currency = charges.last_currency and charges.currency = expected.currency then charges.is_converted
            else false
        end as is_converted,
        case
            when charges.currency <> expected.currency then charges.currency
            else of_currency.other_currency
        end as collected_currency,
        coalesce(of_rail.rail_complete, false) as stripe_complete,
        run.as_of
    from expected
    cross join {{ ref('stg_tieout__run') }} as run
    left join {{ ref('int_charge_owners') }} as owners
        on
            expected.charge_id = owners.charge_id
            and expected.tenant_id = owners.tenant_id
    left join charges
        on expected.charge_id = charges.charge_id
    left join of_currency
        on
            expected.charge_id = of_currency.charge_id
            and expected.currency = of_currency.currency
    -- Customers pay the platform: no party's account bears on a charge.
    left join {{ ref('int_source_completeness') }} as of_rail
        on expected.tenant_id = of_rail.tenant_id
),

final as (
    select
        tenant_id,
        charge_id,
        currency,
        party_id,
        receipt_id,
        sources,
        {{ period_of('receipted_at') }} as period,
        expected_cents,
        collected_cents,
        case when collected_cents < expected_cents then collected_cents else expected_cents end as matched_cents,
        case when collected_cents < expected_cents then expected_cents - collected_cents else 0 end as open_cents,
        case when collected_cents > expected_cents then collected_cents - expected_cents else 0 end as excess_cents,
        is_converted,
        is_contested,
        collected_currency,
        receipted_at,
        collected_at,
        expected_by,
        case
            when collected_cents = expected_cents then null
            when not stripe_complete and collected_cents < expected_cents then 'SOURCE_INCOMPLETE'
            when is_contested then 'AMBIGUOUS_MATCH'
            when collected_currency is not null then 'CURRENCY_MISMATCH'
            when collected_cents > expected_cents then 'AMOUNT_OVER'
            when collected_at is null and as_of < expected_by then 'TIMING'
            when collected_at is null then 'MISSING_EXTERNAL'
            else 'AMOUNT_UNDER'
        end as open_code
    from joined
)

select *
from final
