-- grain: one party (null: unattributed) of a tenant in one currency: inquiries that moved no money yet
with inquiries as (
    select
        disputes.dispute_id,
        disputes.charge_id,
        disputes.amount_cents,
        disputes.currency
    from {{ ref('stg_stripe__disputes') }} as disputes
    left join {{ ref('stg_stripe__dispute_balance_transactions') }} as movements
        on disputes.dispute_id = movements.dispute_id
    where
        disputes.is_platform
        and disputes.dispute_status in ('warning_needs_response', 'warning_under_review')
        and movements.dispute_id is null
),

final as (
    select
        coalesce(shares.tenant_id, '_platform') as tenant_id,
        shares.party_id,
        coalesce(shares.party_id, '') as party_key,
        inquiries.currency,
        {{ sum_cents(
            'case when shares.charge_id is null then inquiries.amount_cents else '
            ~ share_of('inquiries.amount_cents', 'shares.slice_to', 'shares.slice_total') ~ ' - '
            ~ share_of('inquiries.amount_cents', 'shares.slice_from', 'shares.slice_total') ~ ' end'
        ) }} as contingent_cents
    from inquiries
    left join {{ ref('int_exposure_charge_shares') }} as shares
        on inquiries.charge_id = shares.charge_id
    group by coalesce(shares.tenant_id, '_platform'), shares.party_id, inquiries.currency
)

select *
from final
