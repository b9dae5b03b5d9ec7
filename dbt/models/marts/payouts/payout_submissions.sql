-- grain: one attempt to pay one instruction, in its latest state
{{ config(tags=['acts']) }}
with ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, payout_key, attempt
            order by seq desc nulls last
        ) as latest_rank
    from {{ ref('stg_tieout__payout_journal') }}
),

final as (
    select
        tenant_id,
        payout_key,
        operation_id,
        attempt,
        idempotency_key,
        submission_state as state,
        transfer_id,
        amount_cents,
        recovery_cents,
        currency,
        destination_account_id,
        provider_id,
        party_id,
        period,
        livemode,
        reason_code,
        decision_sha256,
        occurred_at as {{ adapter.quote('at') }}
    from ranked
    where latest_rank = 1
)

select *
from final
