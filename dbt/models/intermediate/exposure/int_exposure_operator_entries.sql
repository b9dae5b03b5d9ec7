-- grain: one write-off or repayment that two operators signed
with lines as (
    select
        seq,
        tenant_id,
        split_part(field, '|', 1) as entry_field,
        split_part(field, '|', 2) as currency,
        substr(field, length(split_part(field, '|', 1)) + length(split_part(field, '|', 2)) + 3) as party_id,
        value as value_text,
        occurred_at
    from {{ ref('stg_tieout__controls') }}
    where
        line_status = 'valid'
        and action = 'set'
        and second_operator is not null
        and second_operator <> operator
        and (field like 'write_off_cents|%' or field like 'repayment_cents|%')
),

-- Only plain digits are an amount; a line that says anything else writes nothing off.
amounts as (
    select
        *,
        case
            when length(value_text) between 1 and 16 and translate(value_text, '0123456789', '') = ''
                then cast(value_text as bigint)
            else 0
        end as amount_cents
    from lines
),

final as (
    select
        tenant_id,
        case when party_id <> '' then party_id end as party_id,
        party_id as party_key,
        upper(currency) as currency,
        case entry_field when 'write_off_cents' then 'write_off' else 'repayment' end as entry_kind,
        'line:' || cast(seq as {{ dbt.type_string() }}) as entry_id,
        cast(seq as {{ dbt.type_string() }}) as source_id,
        cast(null as {{ dbt.type_string() }}) as source_status,
        occurred_at,
        -amount_cents as debt_cents
    from amounts
    where amount_cents > 0
)

select *
from final
