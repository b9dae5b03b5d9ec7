-- grain: one charge of a tenant in one currency that the kernel or the rail knows: expected, collected, open
with collected as (
    select
        transactions.source_object_id as charge_id,
        transactions.currency,
        {{ sum_cents('transactions.amount_cents') }} as collected_cents,
        min(transactions.created_at) as collected_at
    from {{ ref('stg_stripe__balance_transactions') }} as transactions
    where
        transactions.is_platform
        and transactions.reporting_category = 'charge'
    group by transactions.source_object_id, transactions.currency
),

other_currency as (
    select
        expected.tenant_id,
        expected.charge_id,
        expected.currency,
        min(collected.currency) as collected_currency
    from {{ ref('int_expected_collections') }} as expected
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
        other_currency.collected_currency,
        coalesce(of_party.stripe_complete, of_rail.stripe_complete, false) as stripe_complete,
        run.as_of
    from {{ ref('int_expected_collections') }} as expected
    cross join {{ ref('stg_tieout__run') }} as run
    left join collected
        on
            expected.charge_id = collected.charge_id
            and expected.currency = collected.currency
    left join other_currency
        on
            expected.tenant_id = other_currency.tenant_id
            and expected.charge_id = other_currency.charge_id
            and expected.currency = other_currency.currency
    left join {{ ref('int_party_completeness') }} as of_party
        on
            expected.tenant_id = of_party.tenant_id
            and expected.party_id = of_party.party_id
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
        receipted_at,
        collected_at,
        expected_by,
        case
            when collected_cents = expected_cents then null
            when not stripe_complete and collected_cents < expected_cents then 'SOURCE_INCOMPLETE'
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
