-- grain: one payout instruction: open breaks at or above materiality that bear on it
{{ config(materialized='view') }}
with material as (
    select *
    from {{ ref('int_gate_breaks') }}
    where is_material
),

per_party as (
    select
        tenant_id,
        coalesce(party_id, '') as party_key,
        count(*) as breaks,
        min(break_id) as first_break_id,
        -- Every break with its drift and size: who lifts the condition lifts these and no others.
        {{ ordered_text(join_parts(['break_id', 'drift_cents', 'size_cents', 'currency']), 'break_id') }} as seen
    from material
    group by tenant_id, coalesce(party_id, '')
),

own_non_payment as (
    select
        tenant_id,
        payout_key,
        count(*) as breaks
    from material
    where is_non_payment
    group by tenant_id, payout_key
),

final as (
    select
        subjects.tenant_id,
        subjects.payout_key,
        coalesce(per_party.breaks, 0) + coalesce(unattributed.breaks, 0) - coalesce(own_non_payment.breaks, 0) as open_breaks,
        coalesce(per_party.first_break_id, unattributed.first_break_id, '')
        || ', ' || cast(coalesce(per_party.breaks, 0) + coalesce(unattributed.breaks, 0) as {{ dbt.type_string() }}) || ' open, '
        || substr({{ sha256_hex("coalesce(per_party.seen, '') || '|' || coalesce(unattributed.seen, '')") }}, 1, 12) as seen
    from {{ ref('int_payout_subjects') }} as subjects
    left join per_party
        on
            subjects.tenant_id = per_party.tenant_id
            and subjects.party_id = per_party.party_key
    left join per_party as unattributed
        on
            subjects.tenant_id = unattributed.tenant_id
            and unattributed.party_key = ''
    left join own_non_payment
        on
            subjects.tenant_id = own_non_payment.tenant_id
            and subjects.payout_key = own_non_payment.payout_key
)

select *
from final
