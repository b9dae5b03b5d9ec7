{#- Landed Parquet becomes relations here and nowhere else: one view a source table, plus the two relations
    that carry the run's parameters, so that no model's SQL holds a path, a run id or a time. -#}

{% macro register_landing() %}
  {%- if execute and flags.WHICH in ['run', 'build', 'seed', 'test', 'show', 'compile'] -%}
    {{ return(adapter.dispatch('register_landing', 'tieout')()) }}
  {%- endif -%}
{% endmacro %}

{% macro duckdb__register_landing() %}
  {%- set home = env_var('TIEOUT_HOME', '.tieout') -%}
  {%- set listed = landed_files(home) -%}
  {%- do run_query('create schema if not exists work.landing') -%}
  {%- for node in graph.sources.values() if node.source_name != 'run' -%}
    {%- set table = node.source_name ~ '/' ~ node.name -%}
    {%- set folder = home ~ '/landing/' ~ table -%}
    {#- Every run made pins, and this one reads its own alone. -#}
    {%- if node.name == 'pinned_batches' -%}
      {%- set every = "'" ~ folder ~ "/schema.parquet', '" ~ folder ~ "/*-pin-" ~ var('run_id') ~ ".parquet'" -%}
    {%- else -%}
      {%- set every = "'" ~ folder ~ "/*.parquet'" -%}
    {%- endif -%}
    {%- do run_query(
      "create or replace view work.landing." ~ node.source_name ~ '_' ~ node.name
      ~ " as select * from read_parquet([" ~ listed.get(table, every) ~ "], union_by_name = true)"
    ) -%}
  {%- endfor -%}
  {%- do run_query(
    "create or replace table work.landing.run_parameters as select "
    ~ "cast('" ~ var('run_id') ~ "' as varchar) as run_id, "
    ~ "cast('" ~ var('as_of') ~ "' as timestamp) as as_of, "
    ~ "cast('" ~ var('known_at') ~ "' as timestamp) as known_at, "
    ~ "cast('" ~ var('home_mode') ~ "' as varchar) as home_mode"
  ) -%}
  {%- do run_query(
    "create or replace table work.landing.run_pinned as select distinct source, table_name, batch_id "
    ~ "from work.landing.tieout_pinned_batches where run_id = '" ~ var('run_id') ~ "'"
  ) -%}
  {%- do register_carried() -%}
{% endmacro %}

{#- The files of each landed table, as the builder listed them for this run: folds in the place of the batches they
    hold. A build that nobody listed files for reads every batch. -#}
{% macro landed_files(home) %}
  {%- set found = {} -%}
  {%- set list = home ~ '/warehouse/landed_files.jsonl' -%}
  {%- if run_query("select count(*) from glob('" ~ list ~ "')").rows[0][0] > 0 -%}
    {%- set rows = run_query(
      "select table_name, files from read_json('" ~ list ~ "', format = 'newline_delimited', "
      ~ "columns = {run_id: 'varchar', table_name: 'varchar', files: 'varchar'}, maximum_object_size = 67108864) "
      ~ "where run_id = '" ~ var('run_id') ~ "'"
    ).rows -%}
    {%- for row in rows -%}
      {%- do found.update({row[0]: row[1]}) -%}
    {%- endfor -%}
  {%- endif -%}
  {{ return(found) }}
{% endmacro %}

{#- Spark reads the batches themselves; folds lie in a folder of their own, and a later batch may have columns that an
    earlier one has not. -#}
{% macro spark__register_landing() %}
  {%- set root = env_var('TIEOUT_HOME', '.tieout') ~ '/landing' -%}
  {%- do run_query('create schema if not exists landing') -%}
  {%- for node in graph.sources.values() if node.source_name != 'run' -%}
    {%- set relation = 'landing.' ~ node.source_name ~ '_' ~ node.name -%}
    {%- set files = '*-pin-' ~ var('run_id') ~ '.parquet' if node.name == 'pinned_batches' else '*.parquet' -%}
    {%- do run_query('drop table if exists ' ~ relation) -%}
    {%- do run_query(
      "create table " ~ relation ~ " using parquet options (path '" ~ root ~ "/" ~ node.source_name ~ "/" ~ node.name
      ~ "', pathGlobFilter '" ~ files ~ "', mergeSchema 'true')"
    ) -%}
  {%- endfor -%}
  {%- do run_query(
    "create or replace view landing.run_parameters as select "
    ~ "cast('" ~ var('run_id') ~ "' as string) as run_id, "
    ~ "cast('" ~ var('as_of') ~ "' as timestamp_ntz) as as_of, "
    ~ "cast('" ~ var('known_at') ~ "' as timestamp_ntz) as known_at, "
    ~ "cast('" ~ var('home_mode') ~ "' as string) as home_mode"
  ) -%}
  {%- do run_query(
    "create or replace view landing.run_pinned as select distinct source, table_name, batch_id "
    ~ "from landing.tieout_pinned_batches where run_id = '" ~ var('run_id') ~ "'"
  ) -%}
{% endmacro %}

{#- The rows of one landed table that the run pinned, the latest row a key. A key that stands once is not ranked: a
    window over every row costs three times as much as finding the few keys that repeat. -#}
{% macro latest_landed(source_name, table_name, key, newest_first=[]) %}
    pinned as {{ inlined() }} (
        select landed.*
        from {{ source(source_name, table_name) }} as landed
        inner join {{ source('run', 'pinned') }} as batches
            on
                landed.batch_id = batches.batch_id
                and batches.source = '{{ source_name }}'
                and batches.table_name = '{{ table_name }}'
    ),

    {{ repeated_hashes('pinned', key) }},

    single as (
        select
            pinned.*,
            1 as newest_rank
        from pinned
        left join repeated_hashes
            on {{ key_hash(key, 'pinned') }} = repeated_hashes.key_hash
        where repeated_hashes.key_hash is null
    ),

    ranked as (
        select
            pinned.*,
            row_number() over (
                partition by {% for column in key %}pinned.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
                order by
                    {% if is_exported(source_name, table_name) -%}
                    {{ vouched_first() }},
                    {% endif -%}
                    {% for column in newest_first -%}
                    pinned.{{ column }} desc nulls last,
                    {% endfor -%}
                    pinned.received_at desc nulls last,
                    pinned.batch_id desc nulls last,
                    pinned.row_no desc nulls last
            ) as newest_rank
        from pinned
        inner join repeated_hashes
            on {{ key_hash(key, 'pinned') }} = repeated_hashes.key_hash
    ),

    latest as (
        select *
        from single

        union all

        select *
        from ranked
        where newest_rank = 1
    )
{%- endmacro %}

{#- What no trusted key vouches for never stands in the place of what one does, however new it is. -#}
{% macro vouched_first() -%}
                    case when pinned.is_vouched then 0 else 1 end asc nulls last
{%- endmacro %}

{#- Whether the rows of a landed table came in an export that somebody may have signed. -#}
{% macro is_exported(source_name, table_name) -%}
    {{ return(source_name == 'kernel' and table_name not in ('artifact_verdicts', 'export_manifests')) }}
{%- endmacro %}

{#- The one rule about which kernel artifacts may fund a payout, lessen an exposure or lift a limit: their hash does not
    lie, and an export signed by a trusted key carried them. What is owed and what is held back needs less: not to lie. -#}
{% macro may_fund(relation) -%}
    ({{ relation }}.verdict <> 'mismatch' and {{ relation }}.is_vouched)
{%- endmacro %}

{#- Immutable artifacts: what an id was first, that verified. Another content under the id is an alert, never a
    replacement. Rows of a parent's list come from the very content of the parent that counts. -#}
{% macro first_landed(source_name, table_name, key, parent=none) %}
    pinned as {{ inlined() }} (
        select landed.*
        from {{ source(source_name, table_name) }} as landed
        inner join {{ source('run', 'pinned') }} as batches
            on
                landed.batch_id = batches.batch_id
                and batches.source = '{{ source_name }}'
                and batches.table_name = '{{ table_name }}'
        {%- if parent is not none %}
        inner join {{ ref(parent) }} as parents
            on
                landed.tenant_id = parents.tenant_id
                and landed.artifact_id = parents.artifact_id
                and landed.artifact_sha256 = parents.artifact_sha256
                and landed.verdict = parents.verdict
        {%- endif %}
    ),

    {{ repeated_hashes('pinned', key) }},

    single as (
        select
            pinned.*,
            1 as first_rank
        from pinned
        left join repeated_hashes
            on {{ key_hash(key, 'pinned') }} = repeated_hashes.key_hash
        where repeated_hashes.key_hash is null
    ),

    ranked as (
        select
            pinned.*,
            row_number() over (
                partition by {% for column in key %}pinned.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
                order by
                    case when pinned.verdict = 'mismatch' then 1 else 0 end asc nulls last,
                    {{ vouched_first() }},
                    pinned.received_at asc nulls last,
                    pinned.batch_id asc nulls last,
                    pinned.row_no asc nulls last
            ) as first_rank
        from pinned
        inner join repeated_hashes
            on {{ key_hash(key, 'pinned') }} = repeated_hashes.key_hash
    ),

    original as (
        select *
        from single

        union all

        select *
        from ranked
        where first_rank = 1
    )
{%- endmacro %}

{#- Every pinned row of an append-only landed table. -#}
{% macro all_landed(source_name, table_name) %}
    latest as (
        select landed.*
        from {{ source(source_name, table_name) }} as landed
        inner join {{ source('run', 'pinned') }} as batches
            on
                landed.batch_id = batches.batch_id
                and batches.source = '{{ source_name }}'
                and batches.table_name = '{{ table_name }}'
    )
{%- endmacro %}
