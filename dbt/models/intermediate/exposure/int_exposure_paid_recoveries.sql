-- grain: one payout that was paid or is bound to be, with what its operation or journal line recovered
{{ config(materialized='view') }}
with operations as (
    select
        tenant_id,
        payout_key,
        min(party_id) as party_id,
        coalesce(min(currency), 'USD') as currency,
        max(case when {{ may_fund('operations') }} then coalesce(chargeback_recovery_applied_cents, 0) else 0 end) as recovery_cents,
        max(payout_amount_gross_cents) as gross_cents,
        min(coalesce(submitted_at, confirmed_at, updated_at, initiated_at, created_at)) as occurred_at
    from {{ ref('stg_kernel__money_rail_operations') }} as operations
    where
        direction = 'payout'
        and operation_state in ('submitted', 'confirmed')
    group by tenant_id, payout_key
),

-- A journaled recovery counts from its intent on; one whose attempt failed or was refused never happened.
journaled as (
    select
        tenant_id,
        payout_key,
        party_id,
        currency,
        recovery_cents,
        first_at as occurred_at
    from {{ ref('int_payout_journal') }}
    where is_bound
),

final as (
    select
        coalesce(operations.tenant_id, journaled.tenant_id) as tenant_id,
        coalesce(operations.payout_key, journaled.payout_key) as payout_key,
        coalesce(journaled.party_id, operations.party_id) as party_id,
        coalesce(journaled.currency, operations.currency) as currency,
        coalesce(journaled.recovery_cents, operations.recovery_cents) as recovery_cents,
        operations.gross_cents,
        coalesce(journaled.occurred_at, operations.occurred_at) as occurred_at
    from operations
    full outer join journaled
        on
            operations.tenant_id = journaled.tenant_id
            and operations.payout_key = journaled.payout_key
)

select *
from final
