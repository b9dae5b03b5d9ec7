-- grain: one party (null: unattributed) of a tenant in one currency that has any activity
with kernel_exposure as (
    select
        tenant_id,
        party_id,
        {{ sum_cents('outstanding_cents') }} as outstanding_cents
    from {{ ref('int_kernel_exposure') }}
    where query_period = 'all'
    group by tenant_id, party_id
),

joined as (
    select
        parties.*,
        coalesce(totals.outstanding_cents, 0) as outstanding_cents,
        coalesce(totals.open_dispute_cents, 0) as open_dispute_cents,
        coalesce(contingent.contingent_cents, 0) as contingent_cents,
        coalesce(totals.withdrawn_cents, 0) as withdrawn_cents,
        coalesce(totals.fees_cents, 0) as fees_cents,
        coalesce(totals.refunded_cents, 0) as refunded_cents,
        coalesce(totals.recovered_cents, 0) as recovered_cents,
        coalesce(totals.repaid_cents, 0) as repaid_cents,
        coalesce(totals.written_off_cents, 0) as written_off_cents,
        coalesce(totals.reinstated_cents, 0) as reinstated_cents,
        coalesce(totals.owed_to_party_cents, 0) as owed_to_party_cents,
        coalesce(holdbacks.holdback_cents, 0) as holdback_cents,
        -- The original knows no currency: its figure stands once, on the first currency of the party.
        case when parties.currency_rank = 1 then coalesce(kernel_exposure.outstanding_cents, 0) else 0 end as kernel_outstanding_cents,
        coalesce(policies.policy_mode, 'hold') as policy_mode
    from {{ ref('int_exposure_parties') }} as parties
    left join {{ ref('int_exposure_totals') }} as totals
        on parties.exposure_key = totals.exposure_key
    left join {{ ref('int_exposure_contingent') }} as contingent
        on
            parties.tenant_id = contingent.tenant_id
            and parties.currency = contingent.currency
            and coalesce(parties.party_id, '') = coalesce(contingent.party_id, '')
    left join {{ ref('int_exposure_holdbacks') }} as holdbacks
        on
            parties.tenant_id = holdbacks.tenant_id
            and parties.currency = holdbacks.currency
            and parties.party_id = holdbacks.party_id
    left join kernel_exposure
        on
            parties.tenant_id = kernel_exposure.tenant_id
            and parties.party_id = kernel_exposure.party_id
    left join {{ ref('int_tenant_policies') }} as policies
        on parties.tenant_id = policies.tenant_id
),

final as (
    select
        exposure_key,
        tenant_id,
        party_id,
        currency,
        outstanding_cents,
        open_dispute_cents,
        contingent_cents,
        withdrawn_cents,
        fees_cents,
        refunded_cents,
        recovered_cents,
        repaid_cents,
        written_off_cents,
        reinstated_cents,
        owed_to_party_cents,
        holdback_cents,
        case when outstanding_cents > holdback_cents then outstanding_cents - holdback_cents else 0 end as uncovered_cents,
        kernel_outstanding_cents,
        policy_mode,
        case
            when outstanding_cents > holdback_cents then 'negative_balance'
            when outstanding_cents > 0 or contingent_cents > 0 then 'at_risk'
            else 'clear'
        end as exposure_status
    from joined
)

select *
from final
