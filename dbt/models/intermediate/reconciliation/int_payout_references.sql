-- grain: one source of one transfer: a cumulative split, so that both the source and the transfer are used up exactly
with transfers as (
    select
        tenant_id,
        payout_key,
        transfer_id,
        expected_cents,
        allocated_cents,
        {{ running_cents('allocated_cents', 'tenant_id, payout_key', 'transfer_rank asc nulls last', preceding_only=true) }}
            as before_cents
    from {{ ref('int_transfer_allocations') }}
    where allocated_cents > 0
),

shares as (
    select
        transfers.transfer_id,
        transfers.tenant_id,
        transfers.payout_key,
        transfers.allocated_cents,
        sources.source_type,
        sources.source_id,
        {{ share_of('sources.amount_cents', 'transfers.before_cents + transfers.allocated_cents', 'transfers.expected_cents') }}
        - {{ share_of('sources.amount_cents', 'transfers.before_cents', 'transfers.expected_cents') }} as share_cents,
        row_number() over (
            partition by transfers.transfer_id
            order by
                sources.amount_cents desc nulls last,
                sources.source_type asc nulls last,
                sources.source_id asc nulls last
        ) as source_rank
    from transfers
    inner join {{ ref('int_payout_sources') }} as sources
        on
            transfers.tenant_id = sources.tenant_id
            and transfers.payout_key = sources.payout_key
),

rounding as (
    select
        transfer_id,
        max(allocated_cents) - {{ sum_cents('share_cents') }} as rest_cents
    from shares
    group by transfer_id
),

final as (
    select
        shares.tenant_id,
        shares.transfer_id,
        shares.payout_key,
        shares.source_type,
        shares.source_id,
        shares.share_cents
        + case when shares.source_rank = 1 then rounding.rest_cents else 0 end as allocated_cents
    from shares
    inner join rounding
        on shares.transfer_id = rounding.transfer_id
)

select *
from final
