{#- One composite test a model: every rule is a boolean expression that must hold on every row, and the key must
    be unique. A failing row names the rule it broke. -#}
{% test row_rules(model, key, rules={}) %}
    with keyed as (
        select {{ key | join(', ') }}, count(*) as rows_of_key
        from {{ model }}
        group by {{ key | join(', ') }}
    ),

    failures as (
        select
            {{ join_parts(key) }} as row_key,
            'unique_key' as failed_rule
        from keyed
        where rows_of_key > 1
        {%- for column in key %}

        union all

        select
            {{ join_parts(key) }} as row_key,
            '{{ column }}_present' as failed_rule
        from {{ model }}
        where {{ column }} is null
        {%- endfor %}
        {%- for name, expression in rules.items() %}

        union all

        select
            {{ join_parts(key) }} as row_key,
            '{{ name }}' as failed_rule
        from {{ model }}
        where not coalesce({{ expression }}, false)
        {%- endfor %}
    )

    select row_key, failed_rule
    from failures
{% endtest %}
