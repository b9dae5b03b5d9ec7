-- grain: one source of a payout key, at the best level it maps to; the sources of a payout sum to its instruction
{{ config(materialized='view') }}
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

final as (
    select * from linked
    union all
    select * from entries
    union all
    select * from operations
    union all
    select * from recoveries
)

select *
from final
