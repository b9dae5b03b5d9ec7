{#- Rules between artifacts: how a wide row of checks becomes one row a broken rule. Nothing here knows a rule. -#}

{#- One row a broken rule of one relation. Each rule is a tuple (code, broken, expected, got) of SQL expressions but
    for the code; a rule that cannot be decided is not broken. -#}
{% macro broken_rules(relation, artifact_type, id_column, rules) -%}
    {%- for code, broken, expected, got in rules %}
    select
        tenant_id,
        '{{ artifact_type }}' as artifact_type,
        {{ id_column }} as artifact_id,
        period,
        '{{ code }}' as code,
        cast({{ expected }} as {{ dbt.type_string() }}) as expected,
        cast({{ got }} as {{ dbt.type_string() }}) as got
    from {{ relation }}
    where coalesce({{ broken }}, false)
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
{%- endmacro %}

{#- Whether a text is 64 lower-case hex digits. -#}
{% macro is_sha256(expression) -%}
    (length({{ expression }}) = 64 and length(translate({{ expression }}, '0123456789abcdef', '')) = 0)
{%- endmacro %}

{#- Whether two texts differ, absent ones being alike. -#}
{% macro differs(one, other) -%}
    (coalesce({{ one }}, '') <> coalesce({{ other }}, ''))
{%- endmacro %}
