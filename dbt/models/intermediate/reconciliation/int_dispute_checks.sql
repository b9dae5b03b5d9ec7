-- grain: one dispute of the platform and one currency in which its status and its money disagree
{{ config(materialized='view') }}
with movements as (
    select
        account_id,
        object_id as dispute_id,
        balance_transaction_id,
        movement_id,
        amount_cents,
        currency
    from {{ ref('int_movements_linked') }}
    where
        is_platform
        and movement_type in ('dispute', 'dispute_reversal')
        and object_id is not null
),

-- The dispute's own list is read with its status, so that neither can be older than the other.
listed as (
    select
        listed.account_id,
        listed.dispute_id,
        listed.balance_transaction_id,
        listed.amount_cents,
        listed.currency,
        listed.created_at
    from {{ ref('stg_stripe__dispute_balance_transactions') }} as listed
),

moved as (
    select
        coalesce(movements.account_id, listed.account_id) as account_id,
        coalesce(movements.dispute_id, listed.dispute_id) as dispute_id,
        coalesce(movements.amount_cents, listed.amount_cents) as amount_cents,
        coalesce(movements.currency, listed.currency) as currency,
        movements.movement_id,
        case when movements.movement_id is null then listed.balance_transaction_id end as unswept_id,
        listed.created_at
    from movements
    full outer join listed
        on
            movements.account_id = listed.account_id
            and movements.balance_transaction_id = listed.balance_transaction_id
),

-- One currency at a time: what came back in another pays nothing of what went out.
summed as (
    select
        account_id,
        dispute_id,
        currency,
        {{ sum_cents('case when amount_cents < 0 then -amount_cents end') }} as withdrawn_cents,
        -{{ sum_cents('amount_cents') }} as kept_cents,
        {{ sum_cents('case when unswept_id is not null then abs(amount_cents) end') }} as unswept_cents,
        min(movement_id) as movement_id,
        max(case when unswept_id is not null then created_at end) as unswept_at
    from moved
    group by account_id, dispute_id, currency
),

over_all as (
    select
        account_id,
        dispute_id,
        count(*) as currencies,
        min(currency) as first_currency,
        max(case when withdrawn_cents > 0 then 1 else 0 end) = 1 as was_withdrawn,
        max(case when kept_cents <> 0 then 1 else 0 end) = 1 as is_kept
    from summed
    group by account_id, dispute_id
),

joined as (
    select
        disputes.account_id,
        disputes.dispute_id,
        disputes.charge_id,
        disputes.amount_cents as said_cents,
        disputes.created_at,
        disputes.dispute_status,
        coalesce(summed.withdrawn_cents, 0) as withdrawn_cents,
        coalesce(summed.kept_cents, 0) as kept_cents,
        coalesce(summed.unswept_cents, 0) as unswept_cents,
        summed.movement_id,
        coalesce(summed.unswept_at, disputes.created_at) as since_at,
        coalesce(over_all.was_withdrawn, false) as was_withdrawn,
        coalesce(over_all.is_kept, false) as is_kept,
        coalesce(summed.currency = over_all.first_currency, true) as is_first,
        coalesce(summed.currency <> disputes.currency, false) as is_converted,
        coalesce(summed.currency <> disputes.currency or over_all.currencies > 1, false) as is_incomparable,
        -- What moved is told in its own currency, and what did not in the dispute's.
        case
            when summed.kept_cents <> 0 or summed.unswept_cents > 0 then summed.currency
            else disputes.currency
        end as currency,
        disputes.currency as said_currency,
        run.as_of,
        run.rail_booking_days
    from {{ ref('stg_stripe__disputes') }} as disputes
    cross join {{ ref('stg_tieout__run') }} as run
    left join summed
        on
            disputes.account_id = summed.account_id
            and disputes.dispute_id = summed.dispute_id
    left join over_all
        on
            disputes.account_id = over_all.account_id
            and disputes.dispute_id = over_all.dispute_id
    where disputes.is_platform
),

judged as (
    select
        *,
        case
            when dispute_status like 'warning%' or dispute_status = 'won' or currency <> said_currency then 0
            else said_cents
        end as due_cents,
        {{ add_days('since_at', 'rail_booking_days') }} as expected_by,
        case
            when unswept_cents > 0 then case
                when as_of < {{ add_days('since_at', 'rail_booking_days') }} then 'TIMING' else 'MISSING_EXTERNAL'
            end
            -- Money that only came in, or more than had gone out, fits no status; a conversion's rate may have moved.
            when kept_cents < 0 and withdrawn_cents = 0 then 'SIGN_MISMATCH'
            when kept_cents < 0 and not is_converted then 'STATUS_CONFLICT'
            when dispute_status = 'prevented' then null
            when dispute_status in ('won') or dispute_status like 'warning%'
                then case when kept_cents > 0 then 'STATUS_CONFLICT' end
            when not was_withdrawn then case when is_first then 'DISPUTE_NOT_BOOKED' end
            when not is_kept then case when is_first then 'STATUS_CONFLICT' end
            when is_incomparable then null
            when kept_cents > said_cents then 'AMOUNT_OVER'
            when kept_cents < said_cents then 'AMOUNT_UNDER'
        end as reason_code
    from joined
),

final as (
    select
        account_id,
        dispute_id,
        charge_id,
        currency,
        movement_id,
        created_at,
        expected_by,
        reason_code,
        case when unswept_cents > 0 then unswept_cents else due_cents end as expected_cents,
        case when unswept_cents > 0 then 0 else kept_cents end as actual_cents
    from judged
    where reason_code is not null
)

select *
from final
