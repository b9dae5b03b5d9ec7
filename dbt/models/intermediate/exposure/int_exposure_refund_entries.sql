-- grain: one refund on one party, as far as it goes beyond what the kernel refunded out of unreleased money
{{ config(materialized='view') }}
with refunds as (
    select
        refunds.charge_id,
        refunds.refund_id,
        refunds.amount_cents,
        refunds.currency,
        refunds.created_at,
        refunds.balance_transaction_id,
        {{ running_cents('refunds.amount_cents', 'refunds.charge_id, refunds.currency', 'refunds.created_at asc nulls last, refunds.refund_id asc nulls last') }} as refunded_cents
    from {{ ref('stg_stripe__refunds') }} as refunds
    where
        refunds.is_platform
        and refunds.refund_status not in ('failed', 'canceled', 'requires_action')
        and refunds.charge_id is not null
),

-- Only the part of the running total that lies above the cover is charged to the party.
charged as (
    select
        refunds.*,
        case
            when coalesce(cover.covered_cents, 0) >= refunds.refunded_cents then 0
            when refunds.refunded_cents - coalesce(cover.covered_cents, 0) < refunds.amount_cents
                then refunds.refunded_cents - coalesce(cover.covered_cents, 0)
            else refunds.amount_cents
        end as charged_cents
    from refunds
    left join {{ ref('int_exposure_refund_cover') }} as cover
        on
            refunds.charge_id = cover.charge_id
            and refunds.currency = cover.currency
    where coalesce(cover.is_instructed, true)
),

-- The debt stands in the currency in which the platform lost the money.
settled as (
    select
        charged.charge_id,
        charged.refund_id,
        charged.created_at,
        coalesce(movements.currency, charged.currency) as currency,
        case
            when movements.balance_transaction_id is null or charged.charged_cents = 0 then charged.charged_cents
            when charged.charged_cents = charged.amount_cents then -movements.amount_cents
            else {{ share_of('-movements.amount_cents', 'charged.charged_cents', 'charged.amount_cents') }}
        end as charged_cents
    from charged
    left join {{ ref('stg_stripe__balance_transactions') }} as movements
        on
            charged.balance_transaction_id = movements.balance_transaction_id
            and movements.is_platform
),

final as (
    select
        shares.tenant_id,
        shares.party_id,
        coalesce(shares.party_id, '') as party_key,
        settled.currency,
        'refund' as entry_kind,
        settled.refund_id as entry_id,
        settled.charge_id as source_id,
        cast(null as {{ dbt.type_string() }}) as source_status,
        settled.created_at as occurred_at,
        {{ share_of('settled.charged_cents', 'shares.slice_to', 'shares.slice_total') }}
        - {{ share_of('settled.charged_cents', 'shares.slice_from', 'shares.slice_total') }} as debt_cents
    from settled
    inner join {{ ref('int_exposure_charge_shares') }} as shares
        on settled.charge_id = shares.charge_id
    where settled.charged_cents <> 0
)

select *
from final
where debt_cents <> 0
