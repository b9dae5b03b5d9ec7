-- grain: one party of a tenant: what enforcement recovered and no live operation of the kernel says
{{ config(materialized='view') }}
with final as (
    select
        journal.tenant_id,
        journal.party_id,
        {{ sum_cents('case
            when journal.recovery_cents > coalesce(operations.chargeback_recovery_applied_cents, 0)
                then journal.recovery_cents - coalesce(operations.chargeback_recovery_applied_cents, 0)
        end') }} as recovered_cents
    from {{ ref('int_payout_journal') }} as journal
    left join {{ ref('int_payout_operations') }} as operations
        on
            journal.tenant_id = operations.tenant_id
            and journal.payout_key = operations.payout_key
            and not operations.is_terminal
    where journal.is_bound
    group by journal.tenant_id, journal.party_id
)

select *
from final
