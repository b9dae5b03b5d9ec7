{#- One composite test a model: every rule is a boolean expression that must hold on every row, and the key must
    be unique and present. A failing row names the rule it broke. Keys are compared only where their hashes repeat,
    and the rules are read in one pass. -#}
{% test row_rules(model, key, rules={}) %}
    with repeated_hashes as (
        select {{ key_hash(key) }} as key_hash
        from {{ model }}
        group by {{ key_hash(key) }}
        having count(*) > 1
    ),

    repeated_keys as (
        select {{ key | join(', ') }}
        from {{ model }}
        where {{ key_hash(key) }} in (select key_hash from repeated_hashes)
        group by {{ key | join(', ') }}
        having count(*) > 1
    ),

    judged as (
        select
            {{ join_parts(key) }} as row_key,
            case
                {%- for column in key %}
                when {{ column }} is null then '{{ column }}_present'
                {%- endfor %}
                {%- for name, expression in rules.items() %}
                when not coalesce({{ expression }}, false) then '{{ name }}'
                {%- endfor %}
            end as failed_rule
        from {{ model }}
    ),

    failures as (
        select
            {{ join_parts(key) }} as row_key,
            'unique_key' as failed_rule
        from repeated_keys

        union all

        select
            row_key,
            failed_rule
        from judged
        where failed_rule is not null
    )

    select row_key, failed_rule
    from failures
{% endtest %}
