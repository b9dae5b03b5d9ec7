-- grain: one party of a tenant: what enforcement recovered and the kernel has no operation for yet
with final as (
    select
        journal.tenant_id,
        journal.party_id,
        {{ sum_cents('journal.recovery_cents') }} as recovered_cents
    from {{ ref('int_payout_journal') }} as journal
    left join {{ ref('int_payout_operations') }} as operations
        on
            journal.tenant_id = operations.tenant_id
            and journal.payout_key = operations.payout_key
            and not operations.is_terminal
    where
        journal.is_bound
        and operations.payout_key is null
    group by journal.tenant_id, journal.party_id
)

select *
from final
