-- grain: one identity between a month's ledger, its party statements and what they order to be paid
with ledger_totals as (
    select
        tenant_id,
        period,
        -- A line of nobody or of no account is one of the nameless, never one of those that have a name.
        coalesce(party_id, '') as party_id,
        coalesce(ledger_account_id, '') as ledger_account_id,
        currency,
        {{ sum_cents('amount_cents') }} as amount_cents
    from {{ ref('int_closing_lines') }}
    group by tenant_id, period, coalesce(party_id, ''), coalesce(ledger_account_id, ''), currency
),

statement_totals as (
    select
        totals.tenant_id,
        totals.period,
        coalesce(totals.party_id, '') as party_id,
        coalesce(totals.ledger_account_id, '') as ledger_account_id,
        statements.currency,
        {{ sum_cents('totals.amount_cents') }} as amount_cents
    from {{ ref('stg_kernel__party_statement_totals') }} as totals
    inner join {{ ref('int_closing_statements') }} as statements
        on
            totals.tenant_id = statements.tenant_id
            and totals.artifact_id = statements.artifact_id
    group by totals.tenant_id, totals.period, coalesce(totals.party_id, ''), coalesce(totals.ledger_account_id, ''), statements.currency
),

ledger_equals_statement as (
    select
        coalesce(ledger_totals.tenant_id, statement_totals.tenant_id) as tenant_id,
        'ledger_equals_statement' as tie_out,
        coalesce(ledger_totals.period, statement_totals.period) as period,
        coalesce(ledger_totals.party_id, statement_totals.party_id)
        || '/' || coalesce(ledger_totals.ledger_account_id, statement_totals.ledger_account_id) as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        coalesce(ledger_totals.currency, statement_totals.currency) as currency,
        coalesce(ledger_totals.amount_cents, 0) as left_cents,
        coalesce(statement_totals.amount_cents, 0) as right_cents
    from ledger_totals
    full outer join statement_totals
        on
            ledger_totals.tenant_id = statement_totals.tenant_id
            and ledger_totals.period = statement_totals.period
            and ledger_totals.party_id = statement_totals.party_id
            and ledger_totals.ledger_account_id = statement_totals.ledger_account_id
            and ledger_totals.currency = statement_totals.currency
),

ledger_entries as (
    select distinct
        tenant_id,
        period,
        ledger_entry_id
    from {{ ref('int_closing_lines') }}
),

statement_entries as (
    select distinct
        entries.tenant_id,
        entries.period,
        entries.ledger_entry_id
    from {{ ref('stg_kernel__party_statement_entries') }} as entries
    inner join {{ ref('int_closing_statements') }} as statements
        on
            entries.tenant_id = statements.tenant_id
            and entries.artifact_id = statements.artifact_id
),

-- Counts, not cents: entries that either side has, and entries that both have.
entry_sets as (
    select
        coalesce(ledger_entries.tenant_id, statement_entries.tenant_id) as tenant_id,
        'entry_sets_equal' as tie_out,
        coalesce(ledger_entries.period, statement_entries.period) as period,
        'entries' as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        'XXX' as currency,
        count(*) as left_cents,
        count(case when ledger_entries.tenant_id is not null and statement_entries.tenant_id is not null then 1 end) as right_cents
    from ledger_entries
    full outer join statement_entries
        on
            ledger_entries.tenant_id = statement_entries.tenant_id
            and ledger_entries.period = statement_entries.period
            and ledger_entries.ledger_entry_id = statement_entries.ledger_entry_id
    group by
        coalesce(ledger_entries.tenant_id, statement_entries.tenant_id),
        coalesce(ledger_entries.period, statement_entries.period)
),

balance_deltas as (
    select
        tenant_id,
        'balance_delta_is_zero' as tie_out,
        period,
        'parties' as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        currency,
        {{ sum_cents('balance_delta_cents') }} as left_cents,
        0 as right_cents
    from {{ ref('int_closing_statements') }}
    group by tenant_id, period, currency
),

-- A key that the kernel instructs once more has an identity for each of its instructions.
first_instructions as (
    select
        tenant_id,
        payout_key,
        min(artifact_id) as artifact_id
    from {{ ref('stg_kernel__payout_instructions') }}
    where payout_key is not null
    group by tenant_id, payout_key
),

payout_equals_statement as (
    select
        instructions.tenant_id,
        'payout_equals_statement' as tie_out,
        instructions.period,
        case
            when first_instructions.artifact_id = instructions.artifact_id then instructions.payout_key
            else instructions.artifact_id
        end as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        instructions.currency,
        instructions.amount_cents as left_cents,
        coalesce(statements.payout_cents, 0) as right_cents
    from {{ ref('stg_kernel__payout_instructions') }} as instructions
    left join first_instructions
        on
            instructions.tenant_id = first_instructions.tenant_id
            and instructions.payout_key = first_instructions.payout_key
    left join {{ ref('stg_kernel__party_statements') }} as statements
        on
            instructions.tenant_id = statements.tenant_id
            and instructions.statement_hash = statements.artifact_hash
),

final as (
    select * from ledger_equals_statement
    union all
    select * from entry_sets
    union all
    select * from balance_deltas
    union all
    select * from payout_equals_statement
)

select *
from final
