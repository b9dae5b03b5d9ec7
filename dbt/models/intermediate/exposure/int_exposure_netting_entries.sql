-- grain: one payout that kept money back to recover a debt and was paid, or is bound to be
-- A recovery can also be a link inside the instruction itself.
{{ config(materialized='view') }}
with linked as (
    select
        links.tenant_id,
        links.payout_key,
        {{ sum_cents('-links.amount_cents') }} as recovery_cents
    from {{ ref('int_payout_links') }} as links
    where
        links.source_type = 'recovery'
        and links.may_fund
    group by links.tenant_id, links.payout_key
),

-- Where the operation nets the very amount that the links already took off, it is one recovery, not two.
combined as (
    select
        paid.tenant_id,
        coalesce(instructions.party_id, paid.party_id) as party_id,
        paid.currency,
        paid.payout_key,
        paid.occurred_at,
        case
            when coalesce(linked.recovery_cents, 0) <= 0 then paid.recovery_cents
            when paid.gross_cents is null or paid.gross_cents = instructions.instructed_cents
                then paid.recovery_cents + linked.recovery_cents
            when linked.recovery_cents > paid.recovery_cents then linked.recovery_cents
            else paid.recovery_cents
        end as recovery_cents
    from {{ ref('int_exposure_paid_recoveries') }} as paid
    left join linked
        on
            paid.tenant_id = linked.tenant_id
            and paid.payout_key = linked.payout_key
    left join {{ ref('int_payout_instructions') }} as instructions
        on
            paid.tenant_id = instructions.tenant_id
            and paid.payout_key = instructions.payout_key
),

final as (
    select
        tenant_id,
        party_id,
        coalesce(party_id, '') as party_key,
        currency,
        'netting' as entry_kind,
        payout_key as entry_id,
        payout_key as source_id,
        cast(null as {{ dbt.type_string() }}) as source_status,
        occurred_at,
        -recovery_cents as debt_cents
    from combined
    where recovery_cents > 0
)

select *
from final
