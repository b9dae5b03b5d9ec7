{#- What DuckDB and Spark spell or compute differently, one macro each. -#}

{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name if custom_schema_name else target.schema }}
{%- endmacro %}

{#- sum(bigint) is a HUGEINT in DuckDB; money stays BIGINT and an empty sum is 0. -#}
{% macro sum_cents(expression) -%}
    cast(coalesce(sum({{ expression }}), 0) as bigint)
{%- endmacro %}

{#- Running sums keep the same type rule. -#}
{% macro running_cents(expression, partition_by, order_by, preceding_only=false) -%}
    cast(coalesce(sum({{ expression }}) over (
        partition by {{ partition_by }}
        order by {{ order_by }}
        rows between unbounded preceding and {{ '1 preceding' if preceding_only else 'current row' }}
    ), 0) as bigint)
{%- endmacro %}

{% macro int_div(numerator, denominator) -%}
    {{ return(adapter.dispatch('int_div', 'tieout')(numerator, denominator)) }}
{%- endmacro %}
{% macro duckdb__int_div(numerator, denominator) -%}
    cast(({{ numerator }}) // nullif({{ denominator }}, 0) as bigint)
{%- endmacro %}
{% macro spark__int_div(numerator, denominator) -%}
    ({{ numerator }} div nullif({{ denominator }}, 0))
{%- endmacro %}

{#- amount * part / whole, truncated, without an overflow in between; null where the whole is 0. -#}
{% macro share_of(amount, part, whole) -%}
    {{ return(adapter.dispatch('share_of', 'tieout')(amount, part, whole)) }}
{%- endmacro %}
{% macro duckdb__share_of(amount, part, whole) -%}
    cast((cast({{ amount }} as hugeint) * ({{ part }})) // nullif({{ whole }}, 0) as bigint)
{%- endmacro %}
{% macro spark__share_of(amount, part, whole) -%}
    cast((cast({{ amount }} as decimal(19, 0)) * cast({{ part }} as decimal(19, 0))) div nullif({{ whole }}, 0) as bigint)
{%- endmacro %}

{#- A decimal text as billionths; null where it is none. Its whole part must fit nine digits. -#}
{% macro billionths(text) -%}
    try_cast(
        case when {{ text }} like '%.%' then
            split_part({{ text }}, '.', 1) || substr(rpad(split_part({{ text }}, '.', 2), 9, '0'), 1, 9)
        else {{ text }} || '000000000' end
        as bigint
    )
{%- endmacro %}

{#- An amount at a rate in billionths, rounded half up; a negative amount mirrors its positive one. Beyond what fits it
    is the most that does: no rate makes a build fail. -#}
{% macro at_rate(amount, rate) -%}
    (case when {{ amount }} < 0 then -1 else 1 end * {{ adapter.dispatch('size_at_rate', 'tieout')(amount, rate) }})
{%- endmacro %}
{% macro duckdb__size_at_rate(amount, rate) -%}
    cast(least((cast(abs({{ amount }}) as hugeint) * ({{ rate }}) + 500000000) // 1000000000, 9000000000000000000) as bigint)
{%- endmacro %}
{% macro spark__size_at_rate(amount, rate) -%}
    cast(least(
        (cast(abs({{ amount }}) as decimal(19, 0)) * cast({{ rate }} as decimal(18, 0)) + 500000000) div 1000000000,
        9000000000000000000
    ) as bigint)
{%- endmacro %}

{#- Minor units as people write them, `-1234.50`; where the exponent is unknown they stay minor units and say so. -#}
{% macro money_text(cents, exponent) -%}
    case
        when {{ exponent }} = 0 then cast({{ cents }} as {{ dbt.type_string() }})
        {% for digits in [2, 3] -%}
        when {{ exponent }} = {{ digits }} then
            case when {{ cents }} < 0 then '-' else '' end
            || cast({{ int_div('abs(' ~ cents ~ ')', 10 ** digits) }} as {{ dbt.type_string() }})
            || '.'
            || lpad(
                cast(abs({{ cents }}) - {{ 10 ** digits }} * {{ int_div('abs(' ~ cents ~ ')', 10 ** digits) }} as {{ dbt.type_string() }}),
                {{ digits }}, '0'
            )
        {% endfor -%}
        else cast({{ cents }} as {{ dbt.type_string() }}) || ' minor units'
    end
{%- endmacro %}

{#- A stable id: a prefix and 24 hex digits of a sha256 over the parts, absent parts marked. -#}
{% macro hash_id(prefix, parts) -%}
    '{{ prefix }}_' || substr({{ sha256_hex(join_parts(parts)) }}, 1, 24)
{%- endmacro %}
{% macro join_parts(parts) -%}
    {%- for part in parts -%}
        coalesce(cast({{ part }} as {{ dbt.type_string() }}), '~'){{ " || '|' || " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
{% macro sha256_hex(expression) -%}
    {{ return(adapter.dispatch('sha256_hex', 'tieout')(expression)) }}
{%- endmacro %}
{% macro duckdb__sha256_hex(expression) -%}sha256({{ expression }}){%- endmacro %}
{% macro spark__sha256_hex(expression) -%}sha2({{ expression }}, 256){%- endmacro %}

{#- UTC month of a timestamp as YYYY-MM. -#}
{% macro period_of(timestamp_column) -%}
    substr(cast({{ timestamp_column }} as {{ dbt.type_string() }}), 1, 7)
{%- endmacro %}

{% macro add_days(timestamp_column, days) -%}
    {{ return(adapter.dispatch('add_days', 'tieout')(timestamp_column, days)) }}
{%- endmacro %}
{% macro duckdb__add_days(timestamp_column, days) -%}
    ({{ timestamp_column }} + to_days(cast({{ days }} as integer)))
{%- endmacro %}
{% macro spark__add_days(timestamp_column, days) -%}
    ({{ timestamp_column }} + make_interval(0, 0, 0, {{ days }}))
{%- endmacro %}

{% macro add_minutes(timestamp_column, minutes) -%}
    {{ return(adapter.dispatch('add_minutes', 'tieout')(timestamp_column, minutes)) }}
{%- endmacro %}
{% macro duckdb__add_minutes(timestamp_column, minutes) -%}
    ({{ timestamp_column }} + to_minutes(cast({{ minutes }} as bigint)))
{%- endmacro %}
{% macro spark__add_minutes(timestamp_column, minutes) -%}
    ({{ timestamp_column }} + make_interval(0, 0, 0, 0, 0, {{ minutes }}))
{%- endmacro %}

{#- A time so many milliseconds later; beyond a century it is a century, which every reader can hold. -#}
{% macro add_milliseconds(timestamp_column, milliseconds) -%}
    {{ return(adapter.dispatch('add_milliseconds', 'tieout')(timestamp_column, 'least(' ~ milliseconds ~ ', 3155760000000)')) }}
{%- endmacro %}
{% macro duckdb__add_milliseconds(timestamp_column, milliseconds) -%}
    ({{ timestamp_column }} + to_seconds({{ milliseconds }} * 0.001))
{%- endmacro %}
{% macro spark__add_milliseconds(timestamp_column, milliseconds) -%}
    ({{ timestamp_column }} + make_interval(
        0, 0, 0, 0, 0,
        cast({{ milliseconds }} div 60000 as int),
        cast(({{ milliseconds }} % 60000) * 0.001 as decimal(18, 6))
    ))
{%- endmacro %}

{#- Whole days from one time to another, counted in calendar days UTC. -#}
{% macro days_between(earlier, later) -%}
    {{ return(adapter.dispatch('days_between', 'tieout')(earlier, later)) }}
{%- endmacro %}
{% macro duckdb__days_between(earlier, later) -%}
    cast(date_diff('day', cast({{ earlier }} as date), cast({{ later }} as date)) as bigint)
{%- endmacro %}
{% macro spark__days_between(earlier, later) -%}
    cast(datediff(cast({{ later }} as date), cast({{ earlier }} as date)) as bigint)
{%- endmacro %}

{#- One integer for a key of several texts, to find the few keys that may repeat; equal hashes prove nothing. -#}
{% macro key_hash(columns, relation=none) -%}
    {{ return(adapter.dispatch('key_hash', 'tieout')(columns, relation)) }}
{%- endmacro %}
{% macro duckdb__key_hash(columns, relation) -%}
    hash({% for column in columns %}{{ relation ~ '.' if relation }}{{ column }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}
{% macro spark__key_hash(columns, relation) -%}
    xxhash64({% for column in columns %}{{ relation ~ '.' if relation }}{{ column }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{#- CTEs that end in `repeated_hashes`: hashes of the keys of a relation that stand more than once. Few do, so whatever
    ranks or adds up need look at theirs alone. -#}
{% macro repeated_hashes(relation, key, condition='true') %}
    hashed as (
        select {{ key_hash(key) }} as key_hash
        from {{ relation }}
        where {{ condition }}
    ),

    repeated_hashes as (
        select key_hash
        from hashed
        group by key_hash
        having count(*) > 1
    )
{%- endmacro %}

{#- After `as`: a named query that is read several times, computed by each reader with its own filters and columns.
    DuckDB would write it out first, whole, which at ten million rows no longer fits the memory. For what is cheap to
    read again and wide; what is dear to compute or small is better written once. -#}
{% macro inlined() -%}
    {{ return(adapter.dispatch('inlined', 'tieout')()) }}
{%- endmacro %}
{% macro duckdb__inlined() -%}not materialized{%- endmacro %}
{% macro spark__inlined() -%}{%- endmacro %}

{#- Seeds on Spark: dbt-spark would bind texts without escaping them, and empty cells as the text None. -#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set sql -%}
        insert into {{ this.render() }} values
        {%- for row in agate_table.rows %}
            ({%- for name in agate_table.column_names -%}
                {%- set value = row[loop.index0] -%}
                cast({% if value is none %}null{% else %}'{{ value | string | replace("\\", "\\\\") | replace("'", "\\'") }}'{% endif %}
                as {{ types.get(name, adapter.convert_type(agate_table, loop.index0)) }}){{ ', ' if not loop.last }}
            {%- endfor -%}){{ ',' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {%- do run_query(sql) -%}
    {{ return(sql) }}
{% endmacro %}
