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

-- What the rail itself shows of it by now; a transfer that is not what was sent confirms nothing.
reversed as (
    select
        transfer_id,
        max(created_at) as reversed_at
    from {{ ref('stg_stripe__transfer_reversals') }}
    group by transfer_id
),

seen as (
    select
        transfers.transfer_id,
        transfers.amount_cents,
        upper(transfers.currency) as currency,
        transfers.destination_account_id,
        case when transfers.is_reversed then 'reversed' else 'confirmed' end as rail_state,
        case when transfers.is_reversed then reversed.reversed_at else transfers.created_at end as rail_state_at
    from {{ ref('stg_stripe__transfers') }} as transfers
    left join reversed
        on transfers.transfer_id = reversed.transfer_id
    where transfers.is_platform
),

final as (
    select
        ranked.tenant_id,
        ranked.payout_key,
        ranked.operation_id,
        ranked.attempt,
        ranked.idempotency_key,
        ranked.submission_state as state,
        ranked.transfer_id,
        ranked.amount_cents,
        ranked.recovery_cents,
        ranked.currency,
        ranked.destination_account_id,
        ranked.provider_id,
        ranked.party_id,
        ranked.period,
        ranked.livemode,
        ranked.reason_code,
        ranked.decision_sha256,
        ranked.occurred_at as {{ adapter.quote('at') }},
        seen.rail_state,
        seen.rail_state_at
    from ranked
    left join seen
        on
            ranked.transfer_id = seen.transfer_id
            and ranked.amount_cents = seen.amount_cents
            and upper(ranked.currency) = seen.currency
            and ranked.destination_account_id = seen.destination_account_id
            and ranked.submission_state = 'submitted'
    where ranked.latest_rank = 1
)

select *
from final
