-- grain: one payout operation of a provider in one month that its payout key names
with operations as (
    select
        tenant_id,
        provider_id,
        operation_id,
        payout_key,
        coalesce(regexp_extract(payout_key, ':period:([0-9]{4}-[0-9]{2}):', 1), '') as period,
        amount_cents,
        upper(currency) as currency,
        operation_state,
        reason_code
    from {{ ref('stg_kernel__money_rail_operations') }}
    where direction = 'payout'
),

months as (
    select distinct
        tenant_id,
        period
    from {{ ref('int_kernel_expected_payouts') }}
),

-- The original asks whether a key contains the month, so a key that holds several is in each of them.
in_other_months as (
    select
        operations.tenant_id,
        operations.provider_id,
        operations.operation_id,
        operations.payout_key,
        months.period,
        operations.amount_cents,
        operations.currency,
        operations.operation_state,
        operations.reason_code
    from operations
    inner join months
        on
            operations.tenant_id = months.tenant_id
            and operations.period <> months.period
            and instr(operations.payout_key, ':period:' || months.period || ':') > 0
    where operations.payout_key like '%:period:%:period:%'
),

final as (
    select * from operations
    union all
    select * from in_other_months
)

select *
from final
