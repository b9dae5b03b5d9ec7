-- grain: one identity of the general ledger alone: its entries sum to nought, and its batch states their sum
with entry_sums as (
    select
        tenant_id,
        'ledger_entry_is_zero' as tie_out,
        period,
        coalesce(ledger_entry_id, '') as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        currency,
        {{ sum_cents('amount_cents') }} as left_cents,
        0 as right_cents
    from {{ ref('int_closing_lines') }}
    group by tenant_id, period, coalesce(ledger_entry_id, ''), currency
),

line_sums as (
    select
        tenant_id,
        artifact_id,
        min(currency) as currency,
        {{ sum_cents('amount_cents') }} as amount_cents
    from {{ ref('stg_kernel__gl_lines') }}
    group by tenant_id, artifact_id
),

batch_totals as (
    select
        batches.tenant_id,
        'ledger_total_equals_lines' as tie_out,
        batches.period,
        batches.artifact_id as account_id,
        cast(null as {{ dbt.type_string() }}) as balance_type,
        coalesce(line_sums.currency, 'USD') as currency,
        coalesce(batches.total_cents, 0) as left_cents,
        coalesce(line_sums.amount_cents, 0) as right_cents
    from {{ ref('stg_kernel__gl_batches') }} as batches
    left join line_sums
        on
            batches.tenant_id = line_sums.tenant_id
            and batches.artifact_id = line_sums.artifact_id
    where batches.verdict <> 'mismatch'
),

final as (
    select * from entry_sums
    union all
    select * from batch_totals
)

select *
from final
