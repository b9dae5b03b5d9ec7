-- grain: one payout key of a tenant that enforcement ever touched, in its latest state
with acts as (
    select
        *,
        -- The rail holds something else than was meant: a person must look before anything else is paid.
        submission_state = 'refused' and reason_code = 'PAYOUT_BINDING_MISMATCH' as is_blocked
    from {{ ref('stg_tieout__payout_journal') }}
),

-- A dry run, and a refusal before any call, say nothing about what the rail has.
ranked as (
    select
        *,
        row_number() over (partition by tenant_id, payout_key order by seq desc nulls last) as latest_rank,
        min(occurred_at) over (partition by tenant_id, payout_key, attempt) as attempted_at
    from acts
    where
        submission_state not in ('dry_run', 'refused')
        or is_blocked
),

final as (
    select
        tenant_id,
        payout_key,
        operation_id,
        attempt,
        submission_state,
        transfer_id,
        amount_cents,
        coalesce(recovery_cents, 0) as recovery_cents,
        upper(currency) as currency,
        party_id,
        period,
        provider_id,
        destination_account_id,
        attempted_at as first_at,
        occurred_at as latest_at,
        -- Bound: paid, or nobody knows yet whether it was.
        submission_state in ('intent', 'submitted', 'unknown') or is_blocked as is_bound,
        submission_state in ('intent', 'unknown') or is_blocked as is_unresolved,
        submission_state = 'submitted' as is_submitted
    from ranked
    where latest_rank = 1
)

select *
from final
