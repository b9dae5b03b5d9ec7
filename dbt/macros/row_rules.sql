{#- One composite test a model: every rule is a boolean expression that must hold on every row, and the key must
    be unique and present. A failing row names the rule it broke. Keys are compared only where their hashes repeat,
    and the rules are read in one pass. -#}
{% test row_rules(model, key, rules={}) %}
    {%- set tested = what_is_new(model, key) %}
    with repeated_hashes as (
        select {{ key_hash(key) }} as key_hash
        from {{ tested }}
        group by {{ key_hash(key) }}
        having count(*) > 1
    ),

    repeated_keys as (
        select {{ key | join(', ') }}
        from {{ tested }}
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
        from {{ tested }}
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

{#- Of a carried table that goes on: the rows that are new in it. The others passed when they were. Rows of one key of
    the test are replaced together, so that two of them cannot meet unseen. -#}
{% macro what_is_new(model, key) -%}
  {%- set node = graph.nodes.get('model.tieout.' ~ model.identifier) if execute and var('continued') -%}
  {%- set carried_key = node.config.get('carried_key') if node -%}
  {%- if carried_key and carried_key | reject('in', key) | list | length == 0 -%}
    {{ return('(select * from work.changed.' ~ node.name ~ ' where not is_before) as tested') }}
  {%- endif -%}
  {{ return(model) }}
{%- endmacro %}
