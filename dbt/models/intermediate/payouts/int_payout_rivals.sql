-- grain: one open payout instruction: other instructions for the same money
{{ config(materialized='view') }}
with open_payouts as (
    select
        tenant_id,
        payout_key,
        party_id,
        period,
        currency,
        generated_at
    from {{ ref('int_payout_states') }}
    where not is_paid
),

-- The same party, month and currency: paid or unresolved under another key, or instructed anew.
paid_again as (
    select
        open_payouts.tenant_id,
        open_payouts.payout_key,
        commitments.payout_key as rival_key
    from open_payouts
    inner join {{ ref('int_payout_commitments') }} as commitments
        on
            open_payouts.tenant_id = commitments.tenant_id
            and open_payouts.party_id = commitments.party_id
            and open_payouts.period = commitments.period
            and open_payouts.currency = commitments.currency
            and open_payouts.payout_key <> commitments.payout_key
),

regenerated as (
    select
        open_payouts.tenant_id,
        open_payouts.payout_key,
        newer.payout_key as rival_key
    from open_payouts
    inner join open_payouts as newer
        on
            open_payouts.tenant_id = newer.tenant_id
            and open_payouts.party_id = newer.party_id
            and open_payouts.period = newer.period
            and open_payouts.currency = newer.currency
            and open_payouts.payout_key <> newer.payout_key
    where
        newer.generated_at > open_payouts.generated_at
        or (
            newer.generated_at = open_payouts.generated_at
            and newer.payout_key > open_payouts.payout_key
        )
        or open_payouts.generated_at is null
),

final as (
    select
        tenant_id,
        payout_key,
        count(*) as rivals,
        min(rival_key) as first_rival_key
    from (
        select * from paid_again
        union distinct
        select * from regenerated
        union distinct
        select * from {{ ref('int_payout_shared_sources') }}
    ) as rivals
    group by tenant_id, payout_key
)

select *
from final
