-- grain: one charge of a tenant in one currency that the kernel or the rail knows: expected, collected, open
with expectations as (
    select *
    from {{ ref('int_expected_collections') }}
),

collected as (
    select
        object_id as charge_id,
        claimed_currency as currency,
        {{ sum_cents('claimed_cents') }} as collected_cents,
        min(occurred_at) as collected_at,
        max(case when is_converted then 1 else 0 end) = 1 as is_converted
    from {{ ref('int_movements_linked') }}
    where
        is_platform
        and movement_type = 'collection'
        and not is_repeat
    group by object_id, claimed_currency
),

other_currency as (
    select
        expected.tenant_id,
        expected.charge_id,
        expected.currency,
        min(collected.currency) as collected_currency
    from expectations as expected
    inner join collected
        on
            expected.charge_id = collected.charge_id
            and expected.currency <> collected.currency
    group by expected.tenant_id, expected.charge_id, expected.currency
),

joined as (
    select
        expected.*,
        coalesce(collected.collected_cents, 0) as collected_cents,
        collected.collected_at,
        coalesce(collected.is_converted, false) as is_converted,
        other_currency.collected_currency,
        owners.charge_id is null as is_contested,
        coalesce(of_rail.stripe_complete, false) as stripe_complete,
        run.as_of
    from expectations as expected
    cross join {{ ref('stg_tieout__run') }} as run
    -- A charge that two tenants claim backs neither: one receipt a charge, once.
    left join {{ ref('int_charge_owners') }} as owners
        on
            expected.charge_id = owners.charge_id
            and expected.tenant_id = owners.tenant_id
    left join collected
        on
            owners.charge_id = collected.charge_id
            and expected.currency = collected.currency
    left join other_currency
        on
            expected.tenant_id = other_currency.tenant_id
            and expected.charge_id = other_currency.charge_id
            and expected.currency = other_currency.currency
    -- Customers pay the platform: no party's account bears on a charge.
    left join {{ ref('int_source_completeness') }} as of_rail
        on of_rail.tenant_id = '_platform'
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
