-- grain: one source of one transfer: a cumulative split, so that both the source and the transfer are used up exactly
{{ config(
    materialized='carried',
    carried_key=['transfer_id'],
    touched_by="""
        with payouts as (
            select tenant_id, payout_key from changed.int_transfer_allocations
            union all
            select tenant_id, payout_key from changed.int_payout_mapping
            union all
            select tenant_id, payout_key from changed.int_payout_positions
            union all
            select tenant_id, payout_key from changed.int_ledger_sources
            union all
            select tenant_id, payout_key from changed.stg_kernel__receipt_payout_links
        )

        select transfer_id from changed.int_transfer_allocations
        union all
        select allocations.transfer_id
        from carried.intermediate.int_transfer_allocations as allocations
        where
            hash(allocations.tenant_id, allocations.payout_key) in (
                select hash(tenant_id, payout_key) from payouts
            )
    """,
    narrowed={'int_transfer_allocations': ['transfer_id']},
) }}
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

-- Most payouts go out in one transfer. Their sources sum to the instruction, so each is used up as it stands.
whole_shares as (
    select
        transfers.tenant_id,
        transfers.transfer_id,
        sources.source_type,
        sources.source_id,
        sources.amount_cents as allocated_cents
    from transfers
    inner join {{ ref('int_payout_sources') }} as sources
        on
            transfers.tenant_id = sources.tenant_id
            and transfers.payout_key = sources.payout_key
    where transfers.allocated_cents = transfers.expected_cents
),

part_shares as (
    select
        transfers.transfer_id,
        transfers.tenant_id,
        transfers.allocated_cents,
        sources.source_type,
        sources.source_id,
        {{ share_of('sources.amount_cents', 'transfers.before_cents + transfers.allocated_cents', 'transfers.expected_cents') }}
        - {{ share_of('sources.amount_cents', 'transfers.before_cents', 'transfers.expected_cents') }} as share_cents,
        sources.amount_cents as source_cents
    from transfers
    inner join {{ ref('int_payout_sources') }} as sources
        on
            transfers.tenant_id = sources.tenant_id
            and transfers.payout_key = sources.payout_key
    where transfers.allocated_cents <> transfers.expected_cents
),

rounding as (
    select
        transfer_id,
        max(allocated_cents) - {{ sum_cents('share_cents') }} as rest_cents
    from part_shares
    group by transfer_id
    having max(allocated_cents) <> {{ sum_cents('share_cents') }}
),

-- Few transfers leave a rest, so only their sources are ranked; the largest takes it.
ranked as (
    select
        shares.transfer_id,
        shares.source_type,
        shares.source_id,
        rounding.rest_cents,
        row_number() over (
            partition by shares.transfer_id
            order by
                shares.source_cents desc nulls last,
                shares.source_type asc nulls last,
                shares.source_id asc nulls last
        ) as source_rank
    from part_shares as shares
    inner join rounding
        on shares.transfer_id = rounding.transfer_id
),

final as (
    select *
    from whole_shares

    union all

    select
        shares.tenant_id,
        shares.transfer_id,
        shares.source_type,
        shares.source_id,
        shares.share_cents + coalesce(ranked.rest_cents, 0) as allocated_cents
    from part_shares as shares
    left join ranked
        on
            shares.transfer_id = ranked.transfer_id
            and shares.source_type = ranked.source_type
            and shares.source_id = ranked.source_id
            and ranked.source_rank = 1
)

select *
from final
