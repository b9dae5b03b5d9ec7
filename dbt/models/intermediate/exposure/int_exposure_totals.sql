-- grain: one party (null: unattributed) of a tenant in one currency: what moved its debt, in total
with latest_status as (
    select
        entries.*,
        case
            when disputes.dispute_status in ('needs_response', 'under_review')
            or disputes.dispute_status like 'appeal%' then 1
            else 0
        end as is_open_dispute
    from {{ ref('int_exposure_entries') }} as entries
    left join {{ ref('stg_stripe__disputes') }} as disputes
        on
            entries.source_id = disputes.dispute_id
            and entries.entry_kind in ('dispute', 'fee', 'reinstatement')
            and disputes.is_platform
),

summed as (
    select
        exposure_key,
        tenant_id,
        party_id,
        currency,
        {{ sum_cents('applied_cents') }} as outstanding_cents,
        {{ sum_cents('case when is_open_dispute = 1 then debt_cents end') }} as open_dispute_cents,
        {{ sum_cents("case when entry_kind = 'dispute' then debt_cents end") }} as withdrawn_cents,
        {{ sum_cents("case when entry_kind = 'fee' then debt_cents end") }} as fees_cents,
        {{ sum_cents("case when entry_kind = 'refund' then debt_cents end") }} as refunded_cents,
        {{ sum_cents("case when entry_kind in ('reversal', 'netting') then -applied_cents end") }} as recovered_cents,
        {{ sum_cents("case when entry_kind = 'repayment' then -applied_cents end") }} as repaid_cents,
        {{ sum_cents("case when entry_kind = 'write_off' then -applied_cents end") }} as written_off_cents,
        {{ sum_cents("case when entry_kind in ('reinstatement') then -applied_cents end") }} as reinstated_cents,
        {{ sum_cents("case when entry_kind in ('netting', 'repayment') then excess_cents end") }} as overpaid_cents,
        {{ sum_cents("case when entry_kind in ('reinstatement', 'fee') then excess_cents end") }} as won_back_cents
    from latest_status
    group by exposure_key, tenant_id, party_id, currency
),

final as (
    select
        exposure_key,
        tenant_id,
        party_id,
        currency,
        outstanding_cents,
        case when open_dispute_cents < 0 then 0 when open_dispute_cents > outstanding_cents then outstanding_cents else open_dispute_cents end as open_dispute_cents,
        withdrawn_cents,
        fees_cents,
        refunded_cents,
        recovered_cents,
        repaid_cents,
        written_off_cents,
        reinstated_cents,
        -- A dispute won after the party had made it good is owed back to the party, as far as it had paid.
        overpaid_cents
        + case
            when won_back_cents > recovered_cents + repaid_cents then recovered_cents + repaid_cents
            else won_back_cents
        end as owed_to_party_cents
    from summed
)

select *
from final
