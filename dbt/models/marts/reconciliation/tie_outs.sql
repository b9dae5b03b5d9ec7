-- grain: one identity at one place: both totals and whether they agree
with balance_equals_sweep as (
    select
        coalesce(owners.tenant_id, '_platform') as tenant_id,
        balances.tie_out,
        'all' as period,
        balances.account_id,
        balances.balance_type,
        balances.currency,
        balances.stated_cents as left_cents,
        balances.swept_cents as right_cents
    from {{ ref('int_balance_identities') }} as balances
    left join {{ ref('int_account_owners') }} as owners
        on balances.account_id = owners.account_id
),

transfer_equals_movement as (
    select
        matches.tenant_id,
        'transfer_equals_movement' as tie_out,
        {{ period_of('matches.created_at') }} as period,
        matches.transfer_id as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        matches.currency,
        matches.amount_cents as left_cents,
        -{{ sum_cents('movements.amount_cents') }} as right_cents
    from {{ ref('int_transfer_matches') }} as matches
    left join {{ ref('int_movements_linked') }} as movements
        on
            matches.account_id = movements.account_id
            and matches.transfer_id = movements.object_id
            and matches.currency = movements.currency
    group by
        matches.tenant_id,
        {{ period_of('matches.created_at') }},
        matches.transfer_id,
        matches.currency,
        matches.amount_cents
),

identities as (
    select * from {{ ref('int_tie_outs_ledger') }}
    union all
    select * from {{ ref('int_tie_outs_statements') }}
    union all
    select * from {{ ref('int_tie_outs_holdbacks') }}
    union all
    select * from balance_equals_sweep
    union all
    select * from transfer_equals_movement
),

final as (
    select
        tenant_id,
        tie_out,
        period,
        account_id,
        -- As a period may be: an identity that no balance of the rail splits is over all of them.
        coalesce(balance_type, 'all') as balance_type,
        currency,
        cast(left_cents as bigint) as left_cents,
        cast(right_cents as bigint) as right_cents,
        cast(left_cents - right_cents as bigint) as difference_cents,
        left_cents = right_cents as holds
    from identities
)

select *
from final
