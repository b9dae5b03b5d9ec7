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
    followed={
        'stg_kernel__receipt_payout_links': [
            ['tenant_id', 'payout_key'], 'int_transfer_allocations', ['tenant_id', 'payout_key']
        ],
        'int_payout_mapping': [['tenant_id', 'payout_key'], 'int_transfer_allocations', ['tenant_id', 'payout_key']],
    },
) }}
with linked as (
    select
        links.tenant_id,
        links.payout_key,
        links.source_type,
        links.source_id,
        links.amount_cents
    from {{ ref('stg_kernel__receipt_payout_links') }} as links
    inner join {{ ref('int_payout_mapping') }} as mapping
        on
            links.tenant_id = mapping.tenant_id
            and links.payout_key = mapping.payout_key
    where
        mapping.mapping_level = 'receipt'
        and links.verdict <> 'mismatch'
),

entries as (
    select
        sources.tenant_id,
        sources.payout_key,
        'ledger_entry' as source_type,
        sources.ledger_entry_id as source_id,
        sources.owed_cents as amount_cents
    from {{ ref('int_ledger_sources') }} as sources
    inner join {{ ref('int_payout_mapping') }} as mapping
        on
            sources.tenant_id = mapping.tenant_id
            and sources.payout_key = mapping.payout_key
    where mapping.mapping_level = 'ledger'
),

operations as (
    select
        mapping.tenant_id,
        mapping.payout_key,
        mapping.mapping_level as source_type,
        'mop_' || mapping.payout_key as source_id,
        mapping.gross_cents as amount_cents
    from {{ ref('int_payout_mapping') }} as mapping
    where mapping.mapping_level in ('operation', 'none')
),

recoveries as (
    select
        tenant_id,
        payout_key,
        'recovery' as source_type,
        'netted:' || payout_key as source_id,
        -recovery_cents as amount_cents
    from {{ ref('int_payout_positions') }}
    where recovery_cents > 0
),

-- The sources of a payout at the best level it maps to; they sum to its instruction.
sources as (
    select * from linked
    union all
    select * from entries
    union all
    select * from operations
    union all
    select * from recoveries
),

transfers as (
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
    inner join sources
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
    inner join sources
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
