-- grain: one charge of a tenant in one currency with a refund the kernel expects: refunded so far and what is open
with refunded as (
    select
        tenant_id,
        charge_id,
        currency,
        {{ sum_cents('allocated_cents') }} as refunded_cents
    from {{ ref('int_refund_allocations') }}
    group by tenant_id, charge_id, currency
),

owners as (
    select
        tenant_id,
        charge_id,
        party_id
    from {{ ref('int_charge_owners') }}
),

joined as (
    select
        expected.*,
        owners.party_id,
        coalesce(refunded.refunded_cents, 0) as refunded_cents,
        coalesce(of_rail.rail_complete, false) as stripe_complete,
        run.as_of
    from {{ ref('int_expected_refunds') }} as expected
    cross join {{ ref('stg_tieout__run') }} as run
    left join owners
        on
            expected.tenant_id = owners.tenant_id
            and expected.charge_id = owners.charge_id
    left join refunded
        on
            expected.tenant_id = refunded.tenant_id
            and expected.charge_id = refunded.charge_id
            and expected.currency = refunded.currency
    -- The platform gives back: no party's account bears on a refund.
    left join {{ ref('int_source_completeness') }} as of_rail
        on expected.tenant_id = of_rail.tenant_id
    where expected.expected_cents > 0
),

final as (
    select
        tenant_id,
        charge_id,
        currency,
        party_id,
        receipt_id,
        period,
        expected_cents,
        refunded_cents,
        expected_cents - refunded_cents as open_cents,
        refundable_at,
        expected_by,
        case
            when expected_cents = refunded_cents then null
            when not stripe_complete then 'SOURCE_INCOMPLETE'
            when as_of < expected_by then 'TIMING'
            when refunded_cents > 0 then 'AMOUNT_UNDER'
            else 'MISSING_EXTERNAL'
        end as open_code
    from joined
)

select *
from final
