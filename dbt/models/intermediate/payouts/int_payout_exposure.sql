-- grain: one payout instruction: what its party owes, here and elsewhere
with parties as (
    select
        tenant_id,
        party_id,
        {{ sum_cents('outstanding_cents') }} as outstanding_cents
    from {{ ref('int_exposure_totals') }}
    where party_id is not null
    group by tenant_id, party_id
),

kernel_total as (
    select
        tenant_id,
        party_id,
        {{ sum_cents('outstanding_cents') }} as outstanding_cents
    from {{ ref('int_kernel_exposure') }}
    where query_period = 'all'
    group by tenant_id, party_id
),

proposed_total as (
    select
        tenant_id,
        party_id,
        {{ sum_cents('proposed_cents') }} as proposed_cents
    from {{ ref('int_party_proposed_recoveries') }}
    group by tenant_id, party_id
),

-- The kernel counts a debt as recovered once an operation sets it off; here it is owed until that is paid.
joined as (
    select
        subjects.tenant_id,
        subjects.payout_key,
        coalesce(same.outstanding_cents, 0) as outstanding_cents,
        coalesce(parties.outstanding_cents, 0) - coalesce(same.outstanding_cents, 0) as other_currency_cents,
        coalesce(unattributed.outstanding_cents, 0) as unattributed_cents,
        case when controls.kernel_chargebacks then kernel.kernel_outstanding_cents + coalesce(proposed.proposed_cents, 0) else 0 end as kernel_cents,
        case
            when controls.kernel_chargebacks
                then
                    coalesce(kernel_total.outstanding_cents, 0) + coalesce(proposed_total.proposed_cents, 0)
                    - kernel.kernel_outstanding_cents - coalesce(proposed.proposed_cents, 0)
            else 0
        end as other_provider_cents,
        coalesce(untold.recovered_cents, 0) as untold_cents
    from {{ ref('int_payout_subjects') }} as subjects
    inner join {{ ref('int_kernel_gates') }} as kernel
        on
            subjects.tenant_id = kernel.tenant_id
            and subjects.payout_key = kernel.payout_key
    left join {{ ref('int_payout_controls') }} as controls
        on
            subjects.tenant_id = controls.tenant_id
            and coalesce(subjects.provider_id, '') = controls.provider_key
    left join {{ ref('int_exposure_totals') }} as same
        on
            subjects.tenant_id = same.tenant_id
            and subjects.party_id = same.party_id
            and subjects.currency = same.currency
    left join parties
        on
            subjects.tenant_id = parties.tenant_id
            and subjects.party_id = parties.party_id
    left join {{ ref('int_exposure_unattributed') }} as unattributed
        on subjects.tenant_id = unattributed.tenant_id
    left join kernel_total
        on
            subjects.tenant_id = kernel_total.tenant_id
            and subjects.party_id = kernel_total.party_id
    left join {{ ref('int_party_proposed_recoveries') }} as proposed
        on
            subjects.tenant_id = proposed.tenant_id
            and subjects.provider_id = proposed.provider_id
            and subjects.party_id = proposed.party_id
    left join proposed_total
        on
            subjects.tenant_id = proposed_total.tenant_id
            and subjects.party_id = proposed_total.party_id
    -- What the kernel was not told yet is taken off its figure.
    left join {{ ref('int_party_untold_recoveries') }} as untold
        on
            subjects.tenant_id = untold.tenant_id
            and subjects.party_id = untold.party_id
),

final as (
    select
        tenant_id,
        payout_key,
        outstanding_cents,
        other_currency_cents,
        unattributed_cents,
        other_provider_cents,
        -- What counts is the larger of our figure and what the kernel would still recover.
        greatest(outstanding_cents, kernel_cents - untold_cents) as recoverable_cents
    from joined
)

select *
from final
