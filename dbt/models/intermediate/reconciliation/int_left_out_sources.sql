-- grain: one receipt, release or freed hold that the payout of its party and month leaves out, although its links name all others
with closed as (
    select
        positions.tenant_id,
        positions.party_id,
        positions.currency,
        positions.period,
        max(positions.generated_at) as generated_at
    from {{ ref('int_payout_positions') }} as positions
    inner join {{ ref('int_payout_mapping') }} as mapping
        on
            positions.tenant_id = mapping.tenant_id
            and positions.payout_key = mapping.payout_key
            and mapping.mapping_level = 'receipt'
    group by positions.tenant_id, positions.party_id, positions.currency, positions.period
),

standing as (
    select
        tenant_id,
        source_type,
        source_id
    from {{ ref('int_verified_sources') }}
    where
        is_settled
        and is_standing
),

final as (
    select
        parts.tenant_id,
        'left_out_' || parts.source_type as check_kind,
        parts.source_id as object_key,
        parts.party_id,
        closed.period,
        parts.currency,
        case when parts.source_type = 'receipt' then 'AMOUNT_UNDER' else 'HOLDBACK_VARIANCE' end as reason_code,
        parts.entitled_cents as expected_cents,
        0 as actual_cents,
        parts.source_id as kernel_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        closed.generated_at as since_at
    from {{ ref('int_source_parts') }} as parts
    inner join standing
        on
            parts.tenant_id = standing.tenant_id
            and parts.source_type = standing.source_type
            and parts.source_id = standing.source_id
    inner join closed
        on
            parts.tenant_id = closed.tenant_id
            and parts.party_id = closed.party_id
            and parts.currency = closed.currency
            and {{ period_of('parts.payable_at') }} = closed.period
            and parts.payable_at <= closed.generated_at
    where
        not parts.is_instructed
        and parts.entitled_cents > 0
)

select *
from final
