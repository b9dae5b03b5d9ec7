-- grain: one payout key of a tenant: instructed, settled, and what is open with its reason
{{ config(materialized='carried', carried_key=['tenant_id', 'payout_key']) }}
with allocations as (
    select
        *,
        -- The last transfer that settled something, else the last there was.
        coalesce(
            max(case when allocated_cents > 0 then transfer_rank end) over (partition by tenant_id, payout_key),
            max(transfer_rank) over (partition by tenant_id, payout_key)
        ) as last_rank
    from {{ ref('int_transfer_allocations') }}
),

settled as (
    select
        tenant_id,
        payout_key,
        {{ sum_cents('allocated_cents') }} as settled_cents,
        {{ sum_cents('tolerated_cents') }} as tolerated_over_cents,
        count(case when allocated_cents > 0 then 1 end) as transfers,
        count(case when is_late and allocated_cents > 0 then 1 end) as late_transfers,
        min(case
            when excess_code in ('CURRENCY_MISMATCH', 'DESTINATION_MISMATCH', 'STATUS_CONFLICT') then excess_code
        end) as refusal_code,
        max(case when transfer_rank = last_rank then transfer_id end) as transfer_id,
        max(created_at) as settled_at
    from allocations
    group by tenant_id, payout_key
),

joined as (
    select
        expected.*,
        coalesce(settled.settled_cents, 0) as settled_cents,
        coalesce(settled.tolerated_over_cents, 0) as tolerated_over_cents,
        case
            when
                settled.transfers > 0
                and settled.refusal_code is null
                and expected.expected_cents - settled.settled_cents <= expected.tolerance_cents
                then expected.expected_cents - settled.settled_cents
            else 0
        end as tolerated_under_cents,
        -- The tenant's own time to clear, once it has shown one, says when a payout is overdue.
        case
            when lags.due_days is null then expected.expected_by
            else {{ add_days('expected.instructed_at', 'lags.due_days') }}
        end as due_by,
        coalesce(settled.transfers, 0) as transfers,
        coalesce(settled.late_transfers, 0) as late_transfers,
        settled.refusal_code,
        settled.transfer_id,
        settled.settled_at,
        ambiguous.payout_key is not null as is_ambiguous,
        coalesce(of_party.stripe_complete, of_rail.rail_complete, false) as stripe_complete,
        run.as_of
    from {{ ref('int_expected_payouts') }} as expected
    cross join {{ ref('stg_tieout__run') }} as run
    left join settled
        on
            expected.tenant_id = settled.tenant_id
            and expected.payout_key = settled.payout_key
    left join {{ ref('int_clearing_lags') }} as lags
        on expected.tenant_id = lags.tenant_id
    left join {{ ref('int_ambiguous_payouts') }} as ambiguous
        on
            expected.tenant_id = ambiguous.tenant_id
            and expected.payout_key = ambiguous.payout_key
    left join {{ ref('int_party_completeness') }} as of_party
        on
            expected.tenant_id = of_party.tenant_id
            and expected.party_id = of_party.party_id
    left join {{ ref('int_source_completeness') }} as of_rail
        on expected.tenant_id = of_rail.tenant_id
),

final as (
    select
        tenant_id,
        payout_key,
        party_id,
        period,
        currency,
        gross_cents,
        recovery_cents,
        expected_cents,
        settled_cents,
        tolerance_cents,
        window_days,
        tolerated_under_cents - tolerated_over_cents as tolerated_cents,
        expected_cents - settled_cents - tolerated_under_cents as open_cents,
        generated_at,
        due_by as expected_by,
        settled_at,
        statement_hash,
        artifact_id,
        operation_id,
        operation_reversed,
        operation_collects,
        instruction_rank > 1 as is_superseded,
        destination_account_id,
        transfers,
        transfer_id,
        late_transfers,
        case
            when expected_cents = settled_cents + tolerated_under_cents then null
            when not stripe_complete then 'SOURCE_INCOMPLETE'
            when instruction_rank > 1 then 'DUPLICATE_INTERNAL'
            when refusal_code is not null then refusal_code
            when as_of < due_by then 'TIMING'
            when transfers > 1 then 'SPLIT_INCOMPLETE'
            when transfers = 1 then 'AMOUNT_UNDER'
            when is_ambiguous then 'AMBIGUOUS_MATCH'
            else 'MISSING_EXTERNAL'
        end as open_code
    from joined
)

select *
from final
