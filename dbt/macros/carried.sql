{#- Carried tables: heavy models whose rows one build leaves for the next. A model that is carried says

    - `carried_key`: the columns its rows are replaced by, all rows of a key at once,
    - `touched_by`: a query for the keys whose rows may have changed, over `changed.<model>` (the rows of a carried
      parent that were replaced, before and after), `arrived.<source>_<table>` (landed rows of batches that no build
      has read before), `landing.<source>_<table>` (all of them) and `carried.<schema>.<model>`,
    - `narrowed`: of which parents it needs only the rows of touched keys, and by which of their columns,
    - `followed`: of which other parents only what narrowed ones lead to: `{parent: [its columns, narrowed, its columns]}`.

    The model's own query knows nothing of this: it stays what analysts read, packets replay and Spark runs. Built
    from nothing, it is run whole. Otherwise it is run over its narrowed parents, and its rows replace those of the
    touched keys. A key is touched by its hash: should two keys share one, both are computed anew.

    Without `touched_by` the model is computed whole each time, and only rows that differ are written: `carried.prints`
    has the hash of each row of the last build, and the key must be the model's grain. A cut-off may move such a model.
    What says which keys are touched may not depend on the cut-off; `dagster_project/carrying.py` says when tables are
    carried. Public tables stay where readers find them, all others are in `carried.duckdb`, with a view in `work`. -#}

{#- A carried model over one landed table: what arrives touches its own keys. `named` has the names that staging gives
    to columns of the key. -#}
{% macro carry_landing(source_name, table_name, key, named={}) %}
  {%- set columns = [] -%}
  {%- for column in key -%}{%- do columns.append(named.get(column, column)) -%}{%- endfor -%}
  {{ config(
    materialized='carried',
    carried_key=columns,
    touched_by='select ' ~ key | join(', ') ~ ' from arrived.' ~ source_name ~ '_' ~ table_name,
    narrowed={source_name ~ '.' ~ table_name: key},
  ) }}
{%- endmacro %}

{% materialization carried, adapter='duckdb' %}
  {%- set is_public = this.database != 'work' -%}
  {%- set target_relation = this.incorporate(type='table' if is_public else 'view') -%}
  {%- set rows = this if is_public else 'carried.' ~ this.schema ~ '.' ~ this.identifier -%}
  {%- set changed = 'work.changed.' ~ this.identifier -%}
  {%- set prints = 'carried.prints.' ~ this.identifier -%}
  {%- set touched_by = config.get('touched_by') -%}
  {%- set key = config.require('carried_key') -%}
  {%- call statement('main', auto_begin=False) -%}
    {%- if not var('continued') -%}
      create or replace table {{ rows }} as (
        {{ compiled_code }}
      )
      {%- if touched_by is none %};
      create or replace table {{ prints }} as
        select {{ key_hash(key) }} as key_hash, hash(*columns(*)) as print from {{ rows }}
      {%- endif -%}
    {%- elif touched_by is none -%}
      create or replace temp table anew as (
        {{ compiled_code }}
      );
      create or replace temp table anew_prints as
        select {{ key_hash(key) }} as key_hash, hash(*columns(*)) as print from anew;
      create table work.touched.{{ this.identifier }} as
        select key_hash from (from {{ prints }} except all from anew_prints)
        union
        select key_hash from (from anew_prints except all from {{ prints }});
      create table {{ changed }} as
        select *, true as is_before from {{ rows_of(rows, is_touched(key)) }}
        union all
        select *, false from anew where {{ is_touched(key) }};
      delete from {{ rows }} where {{ is_touched(key) }};
      insert into {{ rows }} select * exclude (is_before) from {{ changed }} where not is_before;
      create or replace table {{ prints }} as from anew_prints;
      drop table anew;
      drop table anew_prints
    {%- else -%}
      create table work.touched.{{ this.identifier }} as
        select distinct {{ key_hash(key) }} as key_hash
        from ({{ carried_names(touched_by) }}) as touched ({{ key | join(', ') }});
      create table {{ changed }} as
        select *, true as is_before from {{ rows_of(rows, is_touched(key)) }};
      delete from {{ rows }} where {{ is_touched(key) }};
      {%- set few = narrowed_parents() -%}
      {%- for parent in few %}
      create or replace temp table {{ parent.name }} as {{ parent.rows }};
      {%- endfor %}
      insert into {{ changed }} select *, false from (
        {{ narrowed(compiled_code, few) }}
      );
      insert into {{ rows }} select * exclude (is_before) from {{ changed }} where not is_before
      {%- for parent in few %};
      drop table {{ parent.name }}
      {%- endfor -%}
    {%- endif -%}
  {%- endcall -%}
  {%- if not is_public and not var('continued') -%}
    {%- call statement('view', auto_begin=False) -%}
      create view {{ target_relation }} as select * from {{ rows }}
    {%- endcall -%}
  {%- endif -%}
  {%- if config.get('contract').enforced -%}
    {%- do require_contract(target_relation) -%}
  {%- endif -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Spark builds from nothing. -#}
{% materialization carried, adapter='spark' %}
  {{ return(made_once('table')) }}
{% endmaterialization %}

{#- Whether a row is of a key that this model's batches touched. -#}
{% macro is_touched(columns) -%}
    {{ key_hash(columns) }} in (select key_hash from work.touched.{{ this.identifier }})
{%- endmacro %}

{#- Rows of a table on a condition. Their ids are found first, so that of the rest only the condition's columns are read. -#}
{% macro rows_of(table, condition) -%}
    (select * from {{ table }} where rowid in (select rowid from {{ table }} where {{ condition }}))
{%- endmacro %}

{#- The parents of which a model needs only the rows of touched keys, and those of which it needs only what these lead
    to: their nodes, the temporary tables that stand for them, and the rows in those. -#}
{% macro narrowed_parents() -%}
  {%- set few = [] -%}
  {%- for parent, columns in config.require('narrowed').items() -%}
    {%- do few.append(only_rows(parent, is_touched(columns))) -%}
  {%- endfor -%}
  {%- for parent, (columns, leading, led) in config.get('followed', {}).items() -%}
    {%- set condition -%}
      {{ key_hash(columns) }} in (select {{ key_hash(led) }} from few_{{ leading }})
    {%- endset -%}
    {%- do few.append(only_rows(parent, condition)) -%}
  {%- endfor -%}
  {{ return(few) }}
{%- endmacro %}

{% macro only_rows(parent, condition) -%}
  {%- set node = graph.nodes.get('model.tieout.' ~ parent) or graph.sources['source.tieout.' ~ parent] -%}
  {%- if node.resource_type == 'source' -%}
    {#- Batches without such a row are not read further. -#}
    {%- set rows -%}
      (select * from {{ node.relation_name }} where {{ condition }}
      and batch_id in (select batch_id from {{ node.relation_name }} where {{ condition }}))
    {%- endset -%}
  {%- elif node.config.materialized == 'carried' and node.database == 'work' -%}
    {%- set rows = rows_of('carried.' ~ node.schema ~ '.' ~ node.name, condition) -%}
  {%- elif node.config.materialized == 'view' -%}
    {%- set rows = '(select * from ' ~ node.relation_name ~ ' where ' ~ condition ~ ')' -%}
  {%- else -%}
    {%- set rows = rows_of(node.relation_name, condition) -%}
  {%- endif -%}
  {{ return({'node': node, 'name': 'few_' ~ node.name, 'rows': rows}) }}
{%- endmacro %}

{#- A model's query over its narrowed parents. -#}
{% macro narrowed(query, few) -%}
  {%- set found = namespace(query=query) -%}
  {%- for parent in few -%}
    {%- if parent.node.relation_name not in found.query -%}
      {%- do exceptions.raise_compiler_error('got ' ~ parent.node.name ~ ' to narrow, expected a parent that the model reads') -%}
    {%- endif -%}
    {%- set found.query = found.query | replace(parent.node.relation_name, parent.name) -%}
  {%- endfor -%}
  {{ return(found.query) }}
{%- endmacro %}

{#- The relations that `touched_by` names, in full: a model's configuration cannot. -#}
{% macro carried_names(query) -%}
    {{ return(query | replace(' changed.', ' work.changed.') | replace(' arrived.', ' work.arrived.')
      | replace(' landing.', ' work.landing.') | replace(' carried.main.', ' warehouse.main.')) }}
{%- endmacro %}

{#- Before the first model: empty schemas, and a view of what arrived for each landed table that some model asks. -#}
{% macro register_carried() -%}
  {%- for schema in ['work.changed', 'work.touched', 'work.arrived', 'carried.staging', 'carried.intermediate', 'carried.prints'] -%}
    {%- do run_query('create schema if not exists ' ~ schema) -%}
  {%- endfor -%}
  {%- if var('continued') -%}
    {%- do drop_what_is_new() -%}
    {%- do run_query(
      "create or replace table work.landing.run_arrived as select * from work.landing.run_pinned "
      ~ "anti join read_parquet('" ~ env_var('TIEOUT_HOME', '.tieout') ~ "/warehouse/carried_batches.parquet') "
      ~ "using (source, table_name, batch_id)"
    ) -%}
    {%- set asked = graph.nodes.values() | map(attribute='config') | map(attribute='touched_by', default='') | join(' ') -%}
    {%- for node in graph.sources.values() if 'arrived.' ~ node.identifier in asked -%}
      {%- do run_query(
        "create or replace view work.arrived." ~ node.identifier ~ " as select * from work.landing." ~ node.identifier
        ~ " where batch_id in (select batch_id from work.landing.run_arrived "
        ~ "where source = '" ~ node.source_name ~ "' and table_name = '" ~ node.name ~ "')"
      ) -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}

{#- Of the tables of the last build, only those that are carried stay; dbt fills the seeds again itself. -#}
{% macro drop_what_is_new() -%}
  {%- set carried = graph.nodes.values() | selectattr('config.materialized', 'equalto', 'carried')
    | map(attribute='relation_name') | list -%}
  {%- for database in ['warehouse', 'work'] -%}
    {%- set listed -%}
      select format('"{}"."{}"."{}"', database_name, schema_name, table_name)
      from duckdb_tables()
      where database_name = '{{ database }}' and schema_name not in ('landing', 'seeds')
    {%- endset -%}
    {%- set dropped = ['begin'] -%}
    {%- for row in run_query(listed).rows if row[0] not in carried -%}
      {%- do dropped.append('drop table ' ~ row[0]) -%}
    {%- endfor -%}
    {#- After a checkpoint, what is made anew takes the place of what it replaces. -#}
    {%- do run_query((dropped + ['commit', 'checkpoint ' ~ database]) | join('; ')) -%}
  {%- endfor -%}
{%- endmacro %}
