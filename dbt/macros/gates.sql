{#- Gate conditions: how wide evidence becomes one row a condition, and how codes become one text.
    Nothing here decides anything; precedence and labels live in the seed `gate_conditions`. -#}

{#- One row a payout and condition from a wide relation. Each condition is a tuple:
    (condition_code, holds, observed, threshold, source); all but the code and the source are SQL expressions.
    The conditions of a payout come out near each other, so that its long key is stored once and not forty times. -#}
{% macro condition_rows(relation, conditions) %}
    select
        {{ relation }}.tenant_id,
        {{ relation }}.payout_key,
        listed.condition_code,
        case listed.condition_no
            {%- for code, holds, observed, threshold, source in conditions %}
            when {{ loop.index }} then coalesce({{ holds }}, true)
            {%- endfor %}
        end as holds,
        case listed.condition_no
            {%- for code, holds, observed, threshold, source in conditions %}
            when {{ loop.index }} then cast({{ observed }} as {{ dbt.type_string() }})
            {%- endfor %}
        end as observed,
        case listed.condition_no
            {%- for code, holds, observed, threshold, source in conditions %}
            when {{ loop.index }} then cast({{ threshold }} as {{ dbt.type_string() }})
            {%- endfor %}
        end as threshold,
        listed.evidence_source
    from {{ relation }}
    cross join (
        {%- for code, holds, observed, threshold, source in conditions %}
        select {{ loop.index }} as condition_no, '{{ code }}' as condition_code, '{{ source }}' as evidence_source
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    ) as listed
{%- endmacro %}

{#- Texts of a group joined by commas in the order of a number. -#}
{% macro ordered_text(expression, order_by) -%}
    {{ return(adapter.dispatch('ordered_text', 'tieout')(expression, order_by)) }}
{%- endmacro %}
{% macro duckdb__ordered_text(expression, order_by) -%}
    string_agg({{ expression }}, ',' order by {{ order_by }} asc nulls last)
{%- endmacro %}
{% macro spark__ordered_text(expression, order_by) -%}
    nullif(concat_ws(',', transform(
        array_sort(collect_list(case when {{ expression }} is not null then named_struct('k', {{ order_by }}, 'v', {{ expression }}) end)),
        pair -> pair.v
    )), '')
{%- endmacro %}
