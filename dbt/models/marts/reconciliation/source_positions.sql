-- grain: one settlement, receipt, adjustment or hold; a settlement is the sum of the other three
with parts as (
    select *
    from {{ ref('int_source_parts') }}
),

-- Few settlements have several sources, so only theirs are added up.
repeated as (
    select
        tenant_id,
        settlement_id,
        currency
    from parts
    where settlement_id is not null
    group by tenant_id, settlement_id, currency
    having count(*) > 1
),

settled_parts as (
    select
        parts.*,
        repeated.settlement_id is not null as has_several
    from parts
    left join repeated
        on
            parts.tenant_id = repeated.tenant_id
            and parts.settlement_id = repeated.settlement_id
            and parts.currency = repeated.currency
    where parts.settlement_id is not null
),

settlements as (
    select
        tenant_id,
        'settlement' as source_type,
        settlement_id as source_id,
        settlement_id,
        cast(null as {{ dbt.type_string() }}) as receipt_id,
        cast(null as {{ dbt.type_string() }}) as adjustment_id,
        party_id,
        currency,
        entitled_cents,
        held_cents,
        instructed_cents,
        paid_cents,
        reversed_cents,
        drift_cents,
        payable_at
    from settled_parts
    where not has_several

    union all

    select
        tenant_id,
        'settlement' as source_type,
        settlement_id as source_id,
        settlement_id,
        cast(null as {{ dbt.type_string() }}) as receipt_id,
        cast(null as {{ dbt.type_string() }}) as adjustment_id,
        min(party_id) as party_id,
        currency,
        {{ sum_cents('entitled_cents') }} as entitled_cents,
        {{ sum_cents('held_cents') }} as held_cents,
        {{ sum_cents('instructed_cents') }} as instructed_cents,
        {{ sum_cents('paid_cents') }} as paid_cents,
        {{ sum_cents('reversed_cents') }} as reversed_cents,
        {{ sum_cents('drift_cents') }} as drift_cents,
        max(payable_at) as payable_at
    from settled_parts
    where has_several
    group by tenant_id, settlement_id, currency
),

positions as (
    select * from settlements
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
    from parts
),

final as (
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
    from positions
)

select *
from final
