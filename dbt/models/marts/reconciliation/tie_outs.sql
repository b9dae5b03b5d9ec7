-- grain: one identity at one place: both totals and whether they agree
with entry_sums as (
    select
        tenant_id,
        'ledger_entry_is_zero' as tie_out,
        period,
        ledger_entry_id as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        currency,
        {{ sum_cents('amount_cents') }} as left_cents,
        0 as right_cents
    from {{ ref('stg_kernel__gl_lines') }}
    group by tenant_id, period, ledger_entry_id, currency
),

ledger_totals as (
    select
        lines.tenant_id,
        lines.period,
        lines.party_id,
        lines.ledger_account_id,
        min(lines.currency) as currency,
        {{ sum_cents('lines.amount_cents') }} as amount_cents
    from {{ ref('stg_kernel__gl_lines') }} as lines
    group by lines.tenant_id, lines.period, lines.party_id, lines.ledger_account_id
),

first_statements as (
    select
        tenant_id,
        artifact_id,
        row_number() over (
            partition by tenant_id, party_id, period
            order by generated_at asc nulls last, artifact_id asc nulls last
        ) as statement_rank
    from {{ ref('stg_kernel__party_statements') }}
),

statement_totals as (
    select
        totals.tenant_id,
        totals.period,
        totals.party_id,
        totals.ledger_account_id,
        {{ sum_cents('totals.amount_cents') }} as amount_cents
    from {{ ref('stg_kernel__party_statement_totals') }} as totals
    inner join first_statements
        on
            totals.tenant_id = first_statements.tenant_id
            and totals.artifact_id = first_statements.artifact_id
    where first_statements.statement_rank = 1
    group by totals.tenant_id, totals.period, totals.party_id, totals.ledger_account_id
),

ledger_equals_statement as (
    select
        coalesce(ledger_totals.tenant_id, statement_totals.tenant_id) as tenant_id,
        'ledger_equals_statement' as tie_out,
        coalesce(ledger_totals.period, statement_totals.period) as period,
        coalesce(ledger_totals.party_id, statement_totals.party_id)
        || '/' || coalesce(ledger_totals.ledger_account_id, statement_totals.ledger_account_id) as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        coalesce(ledger_totals.currency, 'USD') as currency,
        coalesce(ledger_totals.amount_cents, 0) as left_cents,
        coalesce(statement_totals.amount_cents, 0) as right_cents
    from ledger_totals
    full outer join statement_totals
        on
            ledger_totals.tenant_id = statement_totals.tenant_id
            and ledger_totals.period = statement_totals.period
            and ledger_totals.party_id = statement_totals.party_id
            and ledger_totals.ledger_account_id = statement_totals.ledger_account_id
),

payout_equals_statement as (
    select
        instructions.tenant_id,
        'payout_equals_statement' as tie_out,
        instructions.period,
        instructions.payout_key as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        instructions.currency,
        instructions.amount_cents as left_cents,
        coalesce(statements.payout_cents, 0) as right_cents
    from {{ ref('stg_kernel__payout_instructions') }} as instructions
    left join {{ ref('stg_kernel__party_statements') }} as statements
        on
            instructions.tenant_id = statements.tenant_id
            and instructions.statement_hash = statements.artifact_hash
),

swept as (
    select
        account_id,
        balance_type,
        currency,
        {{ sum_cents('net_cents') }} as net_cents
    from {{ ref('stg_stripe__balance_transactions') }}
    group by account_id, balance_type, currency
),

newest_balance as (
    select
        account_id,
        max(taken_at) as taken_at
    from {{ ref('stg_stripe__balances') }}
    group by account_id
),

reported as (
    select
        balances.account_id,
        balances.balance_type,
        balances.currency,
        {{ sum_cents('balances.amount_cents') }} as amount_cents
    from {{ ref('stg_stripe__balances') }} as balances
    inner join newest_balance
        on
            balances.account_id = newest_balance.account_id
            and balances.taken_at = newest_balance.taken_at
    where balances.bucket in ('available', 'pending')
    group by balances.account_id, balances.balance_type, balances.currency
),

balance_equals_sweep as (
    select
        coalesce(owners.tenant_id, '_platform') as tenant_id,
        'balance_equals_movements' as tie_out,
        'all' as period,
        reported.account_id,
        reported.balance_type,
        reported.currency,
        reported.amount_cents as left_cents,
        coalesce(swept.net_cents, 0) as right_cents
    from reported
    left join swept
        on
            reported.account_id = swept.account_id
            and reported.balance_type = swept.balance_type
            and reported.currency = swept.currency
    left join {{ ref('int_account_owners') }} as owners
        on reported.account_id = owners.account_id
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
    group by
        matches.tenant_id,
        {{ period_of('matches.created_at') }},
        matches.transfer_id,
        matches.currency,
        matches.amount_cents
),

identities as (
    select * from entry_sums
    union all
    select * from ledger_equals_statement
    union all
    select * from payout_equals_statement
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
        balance_type,
        currency,
        cast(left_cents as bigint) as left_cents,
        cast(right_cents as bigint) as right_cents,
        cast(left_cents - right_cents as bigint) as difference_cents,
        left_cents = right_cents as holds
    from identities
)

select *
from final
