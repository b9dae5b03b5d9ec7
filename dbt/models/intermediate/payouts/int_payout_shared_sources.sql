-- grain: one open payout and one other payout that consumes a source of it: paid, or open for another month or party
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

final as (
    select distinct
        sources.tenant_id,
        sources.payout_key,
        others.payout_key as rival_key
    from {{ ref('int_gate_sources') }} as sources
    inner join {{ ref('int_payout_links') }} as others
        on
            sources.tenant_id = others.tenant_id
            and sources.source_type = others.source_type
            and sources.source_id = others.source_id
            and sources.payout_key <> others.payout_key
    left join {{ ref('int_payout_commitments') }} as commitments
        on
            others.tenant_id = commitments.tenant_id
            and others.payout_key = commitments.payout_key
    left join open_payouts
        on
            sources.tenant_id = open_payouts.tenant_id
            and sources.payout_key = open_payouts.payout_key
    left join open_payouts as rivals
        on
            others.tenant_id = rivals.tenant_id
            and others.payout_key = rivals.payout_key
    where
        sources.source_type in ('receipt', 'adjustment', 'ledger_entry', 'holdback')
        and sources.amount_cents > 0
        and others.amount_cents > 0
        and (
            commitments.payout_key is not null
            or rivals.party_id <> open_payouts.party_id
            or rivals.period <> open_payouts.period
            or rivals.currency <> open_payouts.currency
        )
)

select *
from final
