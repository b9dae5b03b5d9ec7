-- grain: one object of the rail that the rail itself contradicts, where nothing more specific is open on it
{{ config(materialized='carried', carried_key=['account_id', 'check_kind', 'object_id', 'currency']) }}
with checks as (
    select
        account_id,
        'movement' as check_kind,
        object_id,
        object_type,
        charge_id,
        transfer_id,
        movement_id,
        currency,
        created_at,
        expected_by,
        reason_code,
        abs(said_cents) as expected_cents,
        abs(moved_cents) as actual_cents,
        moved_cents - said_cents as gap_cents
    from {{ ref('int_object_movements') }}
    where reason_code is not null

    union all

    select
        account_id,
        'dispute' as check_kind,
        dispute_id as object_id,
        'dispute' as object_type,
        charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        movement_id,
        currency,
        created_at,
        expected_by,
        reason_code,
        expected_cents,
        actual_cents,
        0 as gap_cents
    from {{ ref('int_dispute_checks') }}

    union all

    select
        account_id,
        'given_back' as check_kind,
        object_id,
        object_type,
        charge_id,
        transfer_id,
        cast(null as {{ dbt.type_string() }}) as movement_id,
        currency,
        created_at,
        created_at as expected_by,
        'STATUS_CONFLICT' as reason_code,
        counted_cents as expected_cents,
        parts_cents as actual_cents,
        0 as gap_cents
    from {{ ref('int_object_counters') }}

    union all

    select
        account_id,
        'members' as check_kind,
        payout_id as object_id,
        'payout' as object_type,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(null as {{ dbt.type_string() }}) as movement_id,
        currency,
        created_at,
        created_at as expected_by,
        reason_code,
        expected_cents,
        actual_cents,
        0 as gap_cents
    from {{ ref('int_payout_members_checked') }}

    union all

    select
        account_id,
        'leg' as check_kind,
        object_id,
        'transfer' as object_type,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        transfer_id,
        cast(null as {{ dbt.type_string() }}) as movement_id,
        currency,
        created_at,
        expected_by,
        reason_code,
        expected_cents,
        actual_cents,
        0 as gap_cents
    from {{ ref('int_transfer_leg_checks') }}

    union all

    -- A category that no seed knows is a break on whichever account; the platform's are movements' own.
    select
        account_id,
        'category' as check_kind,
        balance_transaction_id as object_id,
        'balance_transaction' as object_type,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        movement_id,
        currency,
        occurred_at as created_at,
        occurred_at as expected_by,
        'UNCLASSIFIED' as reason_code,
        0 as expected_cents,
        amount_cents as actual_cents,
        0 as gap_cents
    from {{ ref('int_movements_linked') }}
    where
        not is_platform
        and scope = 'unmapped'

    union all

    -- The balance names an object that the rail does not list: a link explains the money of a charge, nothing the charge,
    -- and what went to a bank or came from one has nothing but its object to equal.
    select
        account_id,
        'object' as check_kind,
        object_id,
        case
            when min(movement_type) = 'collection' then 'charge'
            when min(movement_type) in ('topup', 'topup_reversal') then 'topup'
            else 'payout'
        end as object_type,
        min(charge_id) as charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        min(movement_id) as movement_id,
        min(currency) as currency,
        min(occurred_at) as created_at,
        min(occurred_at) as expected_by,
        'REFERENCE_MISSING' as reason_code,
        0 as expected_cents,
        {{ sum_cents('abs(amount_cents)') }} as actual_cents,
        0 as gap_cents
    from {{ ref('int_movements_linked') }}
    where
        object_type is null
        and object_id is not null
        and not is_repeat
        and (
            (is_platform and movement_type = 'collection')
            or movement_type in ('bank_payout', 'bank_payout_reversal', 'topup', 'topup_reversal')
        )
    group by account_id, object_id
),

-- What a kernel side already misses or a movement already breaks needs no second name.
named as (
    select object_id
    from {{ ref('int_movement_outcomes') }}
    where
        amount_code is not null
        and object_id is not null

    union distinct

    select charge_id as object_id
    from {{ ref('int_collection_positions') }}
    where open_code is not null

    union distinct

    select charge_id as object_id
    from {{ ref('int_refund_positions') }}
    where open_code is not null
),

final as (
    select
        checks.account_id,
        checks.check_kind,
        checks.object_id,
        checks.object_type,
        checks.movement_id,
        coalesce(allocations.tenant_id, matches.tenant_id, charges.tenant_id, accounts.tenant_id, '_platform') as tenant_id,
        coalesce(allocations.party_id, matches.owner_party_id, charges.party_id, accounts.party_id) as party_id,
        coalesce(allocations.period, {{ period_of('checks.created_at') }}) as period,
        allocations.payout_key,
        checks.currency,
        checks.created_at,
        checks.expected_by,
        checks.reason_code,
        checks.expected_cents,
        checks.actual_cents,
        -- Transfers meet their instruction by what they say; the balance's difference is a line of its own.
        case
            when checks.object_type <> 'transfer' or checks.check_kind <> 'movement' or allocations.transfer_id is null then 0
            when checks.movement_id is null or checks.reason_code = 'CURRENCY_MISMATCH'
                then allocations.allocated_cents + allocations.tolerated_cents
            else checks.gap_cents
        end as balance_effect_cents
    from checks
    left join {{ ref('int_transfer_allocations') }} as allocations
        on checks.transfer_id = allocations.transfer_id
    left join {{ ref('int_transfer_matches') }} as matches
        on checks.transfer_id = matches.transfer_id
    left join {{ ref('int_charge_owners') }} as charges
        on checks.charge_id = charges.charge_id
    left join {{ ref('int_account_owners') }} as accounts
        on checks.account_id = accounts.account_id
    left join named
        on checks.object_id = named.object_id
    left join named as named_charges
        on
            checks.charge_id = named_charges.object_id
            and checks.check_kind <> 'dispute'
    where
        (named.object_id is null and named_charges.object_id is null)
        or (checks.object_type = 'transfer' and checks.check_kind = 'movement' and allocations.transfer_id is not null)
)

select *
from final
