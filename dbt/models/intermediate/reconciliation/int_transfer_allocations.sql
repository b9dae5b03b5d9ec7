-- grain: one matched platform transfer: how much of it its instruction takes up, oldest transfer first
{{ config(materialized='carried', carried_key=['transfer_id']) }}
with matched as (
    select
        matches.*,
        expected.party_id,
        expected.operation_collects,
        expected.period,
        expected.currency as expected_currency,
        expected.expected_cents,
        expected.tolerance_cents,
        expected.instructed_at,
        expected.late_after,
        expected.operation_dead,
        coalesce(reversals.reversed_cents, 0) as reversed_cents,
        -- What was taken back in full settles an operation that was reversed, and no other while something stands.
        case
            when (coalesce(reversals.reversed_cents, 0) >= matches.amount_cents) = expected.operation_reversed then 0
            else 1
        end as standing_rank,
        case
            when matches.currency <> expected.currency then 'CURRENCY_MISMATCH'
            when
                expected.destination_account_id is not null
                and matches.destination_account_id <> expected.destination_account_id
                then 'DESTINATION_MISMATCH'
            when expected.operation_dead then 'STATUS_CONFLICT'
        end as refusal_code
    from {{ ref('int_transfer_matches') }} as matches
    inner join {{ ref('int_expected_payouts') }} as expected
        on
            matches.tenant_id = expected.tenant_id
            and matches.payout_key = expected.payout_key
    left join {{ ref('int_transfer_reversed') }} as reversals
        on matches.transfer_id = reversals.transfer_id
    -- What moved nothing, or less, settles nothing.
    where matches.amount_cents > 0
),

ordered as (
    select
        *,
        row_number() over (
            partition by tenant_id, payout_key
            order by
                case when refusal_code is null then 0 else 1 end asc nulls last,
                standing_rank asc nulls last,
                created_at asc nulls last,
                transfer_id asc nulls last
        ) as transfer_rank,
        {{ running_cents(
            'case when refusal_code is null then amount_cents else 0 end',
            'tenant_id, payout_key',
            'case when refusal_code is null then 0 else 1 end asc nulls last, standing_rank asc nulls last, created_at asc nulls last, transfer_id asc nulls last',
            preceding_only=true
        ) }} as settled_before_cents
    from matched
),

allocated as (
    select
        *,
        case
            when refusal_code is not null then 0
            when settled_before_cents >= expected_cents then 0
            when amount_cents > expected_cents - settled_before_cents then expected_cents - settled_before_cents
            else amount_cents
        end as allocated_cents
    from ordered
),

-- What little a transfer has too much counts as equal within the tolerance, and is recorded as such.
tolerated as (
    select
        *,
        case
            when
                refusal_code is null
                and allocated_cents > 0
                and amount_cents - allocated_cents <= tolerance_cents
                then amount_cents - allocated_cents
            else 0
        end as tolerated_cents
    from allocated
),

-- What no instruction asked for and was taken back is undone: as if it had never left.
undone as (
    select
        *,
        amount_cents - allocated_cents - tolerated_cents as excess_cents,
        case
            when reversed_cents > amount_cents - allocated_cents - tolerated_cents
                then amount_cents - allocated_cents - tolerated_cents
            else reversed_cents
        end as undone_cents
    from tolerated
),

final as (
    select
        account_id,
        transfer_id,
        tenant_id,
        payout_key,
        match_method,
        case when refusal_code = 'DESTINATION_MISMATCH' then owner_party_id else party_id end as party_id,
        period,
        currency,
        expected_currency,
        expected_cents,
        amount_cents,
        allocated_cents,
        tolerated_cents,
        excess_cents,
        undone_cents,
        instructed_at,
        created_at,
        created_at > late_after as is_late,
        transfer_rank,
        destination_account_id,
        operation_collects,
        case
            when excess_cents = undone_cents then null
            when refusal_code is not null then refusal_code
            when allocated_cents = 0 then 'DUPLICATE_EXTERNAL'
            else 'AMOUNT_OVER'
        end as excess_code
    from undone
)

select *
from final
