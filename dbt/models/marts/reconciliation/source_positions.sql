-- grain: one settlement, receipt, adjustment or hold; a settlement is the sum of the other three
{{ config(
    materialized='carried',
    carried_key=['tenant_id', 'settlement_id'],
    touched_by='select tenant_id, settlement_id from changed.int_source_parts',
    narrowed={'int_source_parts': ['tenant_id', 'settlement_id']},
) }}
-- Few settlements have several sources, so only theirs are added up.
with
{{ repeated_hashes(ref('int_source_parts'), ['tenant_id', 'settlement_id', 'currency'], 'settlement_id is not null') }},

single as (
    select
        parts.tenant_id,
        'settlement' as source_type,
        parts.settlement_id as source_id,
        parts.settlement_id,
        cast(null as {{ dbt.type_string() }}) as receipt_id,
        cast(null as {{ dbt.type_string() }}) as adjustment_id,
        parts.party_id,
        parts.currency,
        parts.entitled_cents,
        parts.held_cents,
        parts.instructed_cents,
        parts.paid_cents,
        parts.reversed_cents,
        parts.drift_cents,
        parts.payable_at
    from {{ ref('int_source_parts') }} as parts
    left join repeated_hashes
        on {{ key_hash(['tenant_id', 'settlement_id', 'currency'], 'parts') }} = repeated_hashes.key_hash
    where
        parts.settlement_id is not null
        and repeated_hashes.key_hash is null
),

several as (
    select
        parts.tenant_id,
        'settlement' as source_type,
        parts.settlement_id as source_id,
        parts.settlement_id,
        cast(null as {{ dbt.type_string() }}) as receipt_id,
        cast(null as {{ dbt.type_string() }}) as adjustment_id,
        min(parts.party_id) as party_id,
        parts.currency,
        {{ sum_cents('parts.entitled_cents') }} as entitled_cents,
        {{ sum_cents('parts.held_cents') }} as held_cents,
        {{ sum_cents('parts.instructed_cents') }} as instructed_cents,
        {{ sum_cents('parts.paid_cents') }} as paid_cents,
        {{ sum_cents('parts.reversed_cents') }} as reversed_cents,
        {{ sum_cents('parts.drift_cents') }} as drift_cents,
        max(parts.payable_at) as payable_at
    from {{ ref('int_source_parts') }} as parts
    inner join repeated_hashes
        on {{ key_hash(['tenant_id', 'settlement_id', 'currency'], 'parts') }} = repeated_hashes.key_hash
    where parts.settlement_id is not null
    group by parts.tenant_id, parts.settlement_id, parts.currency
),

final as (
    select * from single
    union all
    select * from several
    union all
    select
        tenant_id,
        source_type,
        source_id,
        settlement_id,
        receipt_id,
        adjustment_id,
        party_id,
        currency,
        entitled_cents,
        held_cents,
        instructed_cents,
        paid_cents,
        reversed_cents,
        drift_cents,
        payable_at
    from {{ ref('int_source_parts') }}
)

select *
from final
