{#- How a model becomes a relation. A build starts from empty files, so nothing is built beside an older relation and
    renamed over it: dbt's own way does, which costs a small build half its time. -#}

{% materialization table, adapter='duckdb' %}
  {{ return(made_once('table')) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
  {{ return(made_once('view')) }}
{% endmaterialization %}

{% materialization table, adapter='spark' %}
  {{ return(made_once('table')) }}
{% endmaterialization %}

{#- Spark plans what lies behind a view anew for each reader, down to the landed files; views on views do not end. -#}
{% materialization view, adapter='spark' %}
  {{ return(made_once('table')) }}
{% endmaterialization %}

{% macro made_once(kind) %}
  {%- set target_relation = this.incorporate(type=kind) -%}
  {#- Acts are built into what is there; a build that goes on has dropped what is made anew. -#}
  {%- if not var('continued', false) -%}
    {%- do drop_relation_if_exists(load_cached_relation(this)) -%}
  {%- endif -%}
  {%- call statement('main', auto_begin=False) -%}
    create {{ kind }} {{ target_relation }}{{ ' using parquet' if kind == 'table' and target.type == 'spark' }} as (
      {{ compiled_code }}
    )
  {%- endcall -%}
  {%- if config.get('contract').enforced -%}
    {%- do require_contract(target_relation) -%}
  {%- endif -%}
  {{ return({'relations': [target_relation]}) }}
{% endmacro %}

{#- The columns a contracted relation has are those its YAML names, in that order and with those types. -#}
{% macro require_contract(relation) -%}
  {%- set got = described(relation) -%}
  {%- set expected = [] -%}
  {%- for column in model['columns'].values() -%}
    {%- do expected.append(column['name'] | lower ~ ' ' ~ column['data_type'] | lower) -%}
  {%- endfor -%}
  {%- if got != expected -%}
    {%- do exceptions.raise_compiler_error('got columns ' ~ got ~ ', expected ' ~ expected ~ '; correct the model or its contract') -%}
  {%- endif -%}
{%- endmacro %}

{#- `name type` of every column of a relation, in the words of the contracts. -#}
{% macro described(relation) -%}
    {{ return(adapter.dispatch('described')(relation)) }}
{%- endmacro %}
{% macro duckdb__described(relation) -%}
  {%- call statement('described', fetch_result=True) -%}
    select lower(column_name) || ' ' || lower(column_type) from (describe {{ relation }})
  {%- endcall -%}
  {{ return(load_result('described').data | map(attribute=0) | list) }}
{%- endmacro %}
{% macro spark__described(relation) -%}
  {%- set words = {'string': 'varchar', 'timestamp_ntz': 'timestamp'} -%}
  {%- set found = [] -%}
  {%- for column in run_query('describe table ' ~ relation).rows -%}
    {%- do found.append(column[0] | lower ~ ' ' ~ words.get(column[1], column[1])) -%}
  {%- endfor -%}
  {{ return(found) }}
{%- endmacro %}

{#- dbt's own also writes every statement to a file and says so, and begins transactions that nothing needs to roll
    back: a tenth of a small build. The compiled models are written all the same. -#}
{% macro statement(name=None, fetch_result=False, auto_begin=False, language='sql') -%}
  {%- if execute -%}
    {%- set response, table = adapter.execute(caller(), auto_begin=auto_begin, fetch=fetch_result) -%}
    {%- if name is not none -%}
      {{ store_result(name, response=response, agate_table=table) }}
    {%- endif -%}
  {%- endif -%}
{%- endmacro %}
