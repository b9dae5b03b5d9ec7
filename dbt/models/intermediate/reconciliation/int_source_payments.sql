-- grain: one link of a payout to a receipt, adjustment or hold: what was instructed, paid and taken back for it
with transfers as (
    select
        allocations.transfer_id,
        allocations.allocated_cents,
        case
            when reversals.reversed_cents - allocations.undone_cents > allocations.allocated_cents
                then allocations.allocated_cents
            else reversals.reversed_cents - allocations.undone_cents
        end as reversed_cents
    from {{ ref('int_transfer_allocations') }} as allocations
    inner join {{ ref('int_transfer_reversed') }} as reversals
        on allocations.transfer_id = reversals.transfer_id
    where allocations.allocated_cents > 0
),

-- A reversal takes back from each source in proportion, the odd cents from the largest; a whole one takes back all.
taken_back as (
    select
        shares.transfer_id,
        shares.source_type,
        shares.source_id,
        transfers.reversed_cents as whole_cents,
        {{ share_of('shares.allocated_cents', 'transfers.reversed_cents', 'transfers.allocated_cents') }} as share_cents,
        row_number() over (
            partition by shares.transfer_id
            order by
                shares.allocated_cents desc nulls last,
                shares.source_type asc nulls last,
                shares.source_id asc nulls last
        ) as source_rank
    from transfers
    inner join {{ ref('int_payout_references') }} as shares
        on transfers.transfer_id = shares.transfer_id
),

odd_cents as (
    select
        transfer_id,
        max(whole_cents) - {{ sum_cents('share_cents') }} as rest_cents
    from taken_back
    group by transfer_id
),

-- What the balance does not show was not paid, whatever its transfer says.
shown as (
    select distinct transfer_id
    from {{ ref('int_movement_outcomes') }}
    where
        movement_type = 'payout'
        and not is_repeat
),

shares as (
    select
        shares.tenant_id,
        shares.payout_key,
        shares.transfer_id,
        shares.source_type,
        shares.source_id,
        shares.allocated_cents,
        coalesce(taken_back.share_cents, 0)
        + case when taken_back.source_rank = 1 then odd_cents.rest_cents else 0 end as reversed_cents
    from {{ ref('int_payout_references') }} as shares
    inner join shown
        on shares.transfer_id = shown.transfer_id
    left join taken_back
        on
            shares.transfer_id = taken_back.transfer_id
            and shares.source_type = taken_back.source_type
            and shares.source_id = taken_back.source_id
    left join odd_cents
        on shares.transfer_id = odd_cents.transfer_id
),

-- Few payouts went out in parts, so only those are added up.
parts as (
    select
        tenant_id,
        payout_key,
        min(transfer_id) <> max(transfer_id) as has_parts
    from shares
    group by tenant_id, payout_key
),

paid as (
    select
        shares.tenant_id,
        shares.payout_key,
        shares.source_type,
        shares.source_id,
        shares.allocated_cents as paid_cents,
        shares.reversed_cents
    from shares
    inner join parts
        on
            shares.tenant_id = parts.tenant_id
            and shares.payout_key = parts.payout_key
    where not parts.has_parts

    union all

    select
        shares.tenant_id,
        shares.payout_key,
        shares.source_type,
        shares.source_id,
        {{ sum_cents('shares.allocated_cents') }} as paid_cents,
        {{ sum_cents('shares.reversed_cents') }} as reversed_cents
    from shares
    inner join parts
        on
            shares.tenant_id = parts.tenant_id
            and shares.payout_key = parts.payout_key
    where parts.has_parts
    group by shares.tenant_id, shares.payout_key, shares.source_type, shares.source_id
),

final as (
    select
        links.tenant_id,
        links.payout_key,
        links.source_type,
        links.source_id,
        case
            when links.source_type = 'fee' and substr(links.source_id, 1, 4) = 'fee_' then substr(links.source_id, 5)
            when links.source_type = 'receipt' then links.source_id
        end as receipt_id,
        links.amount_cents as instructed_cents,
        coalesce(paid.paid_cents, 0) as paid_cents,
        coalesce(paid.reversed_cents, 0) as reversed_cents
    from {{ ref('stg_kernel__receipt_payout_links') }} as links
    left join paid
        on
            links.tenant_id = paid.tenant_id
            and links.payout_key = paid.payout_key
            and links.source_type = paid.source_type
            and links.source_id = paid.source_id
    where
        links.verdict <> 'mismatch'
        and links.source_type in ('receipt', 'adjustment', 'holdback', 'fee')
)

select *
from final
