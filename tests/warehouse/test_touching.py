"""When something changes that a carried model reads, the keys whose rows differ are touched.

Belongs here: one parent at a time taken apart, and what `touched_by` says of it. Does not belong
here: whole builds that go on (`test_carried.py`).

A key that is not touched keeps its old rows for ever. Landings that arrive in parts seldom change
one parent alone, so what they miss is looked for here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from dagster_project.home import prepare_home
from tests.mutation import harness
from tests.warehouse.conftest import Built
from tests.warehouse.copied import Copied, Node, copied, is_carried, is_view, read_by, table_of

# A parent as it was built, and with rows that lack or are other ones.
WAYS = (("other", "built"), ("built", "other"))
DAYS = 30
# With fewer rows, a change of some rows of a parent may happen to reach none of them.
ROWS_MIN = 30


def test_rows_of_the_scenarios_that_differ_are_touched(scenarios: Built) -> None:
    with copied(scenarios.home) as warehouse:
        assert _untouched(warehouse, seeds=range(1)) == []


@pytest.mark.slow
def test_rows_of_the_mutations_that_differ_are_touched(tmp_path: Path) -> None:
    assert harness.run(tmp_path / "mutations", random_worlds=20).failures == []
    with copied(prepare_home(tmp_path / "mutations")) as warehouse:
        assert _untouched(warehouse, seeds=range(8)) == []


def _untouched(warehouse: Copied, seeds: range) -> list[str]:
    """Changes by which rows of a model differ whose keys are not touched."""
    for schema in ("changed", "arrived"):
        warehouse.execute(f"create schema if not exists work.{schema}")
    for node in warehouse.nodes.values():
        _announce(warehouse, node)
    untouched, still = [], []
    for model in warehouse.nodes.values():
        if not is_carried(model) or model["config"].get("touched_by") is None:
            continue  # Computed whole and compared.
        differed = 0
        for parent, other in _changes(warehouse, model, seeds):
            differ, missed = _judged(warehouse, model, parent, other)
            differed += differ
            if missed:
                untouched.append(f"{model['name']}, {missed} keys: {parent['name']} {other}")
        ((rows,),) = warehouse.rows(f"select count(*) from {warehouse.relation(model)}")
        if rows >= ROWS_MIN and not differed:
            still.append(model["name"])
    assert still == [], "a model that nothing changes proves nothing"
    return untouched


def _changes(warehouse: Copied, model: Node, seeds: range) -> Iterator[tuple[Node, str]]:
    """Each parent of a model with queries for its other state."""
    run = warehouse.nodes["source.tieout.run.parameters"]
    for days in (-DAYS, DAYS):
        later = f"as_of + interval '{days} days' as as_of"
        yield run, f"select * replace ({later}) from {warehouse.relation(run)}"
    parents = {table_of(one): one for one in read_by(warehouse.nodes, model) if not is_view(one)}
    for name, parent in parents.items():
        table = warehouse.relation(parent)
        unique = _unique_by(warehouse, parent)
        described = warehouse.rows(f"describe {table}")
        columns = [column for column, *_ in described if column not in unique]
        for seed in seeds:
            draw = Random(f"{model['name']} {name} {seed}")
            drawn = f"hash(rowid, {seed}) % {draw.choice((2, 5))} = 0"
            yield parent, f"select * from {table} where not ({drawn})"
            # What landed stays as it is: another version of it is another row.
            if parent["resource_type"] != "source" and columns:
                column = draw.choice(columns)
                swapped = (
                    f'case when {drawn} then lag("{column}") over (order by hash(rowid, {seed})) '
                    f'else "{column}" end as "{column}"'
                )
                yield parent, f"select * replace ({swapped}) from {table}"


def _judged(warehouse: Copied, model: Node, parent: Node, other: str) -> tuple[int, int]:
    """How many keys of a model differ between two states of a parent, and how many unseen."""
    own, table = warehouse.relation(model), warehouse.relation(parent)
    warehouse.execute(f"create or replace temp table built_parent as from {table}")
    warehouse.execute(f"create or replace temp table built_own as from {own}")
    warehouse.execute(f"create or replace temp table other_parent as {other}")
    _put(warehouse, table, "other_parent")
    sql = warehouse.compiled(model["name"])
    warehouse.execute(f"create or replace temp table other_own as {sql}")
    key = ", ".join(model["config"]["carried_key"])
    gone, come = _differing("built_own", "other_own")
    warehouse.execute(
        f"create or replace temp table differ as select distinct {key} from "
        f"(({gone}) union all ({come}))"
    )
    ((differ,),) = warehouse.rows("select count(*) from differ")
    # Landings only grow; the day and all else change both ways.
    grows = parent["resource_type"] == "source" and parent["source_name"] != "run"
    missed = 0
    for before, after in WAYS[:1] if grows else WAYS:
        if not differ:
            break
        _put(warehouse, own, f"{before}_own")
        _put(warehouse, table, f"{after}_parent")
        _announce(warehouse, parent, *_differing(f"{before}_parent", f"{after}_parent"))
        touched = f"select * from ({_in_full(model)}\n) as touched ({key})"
        missed += len(warehouse.rows(f"from differ except {touched}"))
    _put(warehouse, own, "built_own")
    _put(warehouse, table, "built_parent")
    _announce(warehouse, parent)
    return differ, missed


def _announce(warehouse: Copied, node: Node, gone: str = "", come: str = "") -> None:
    """Says what a build would say of a carried or a landed table: rows that went and that came."""
    nothing = f"select * from {warehouse.relation(node)} limit 0"
    if is_carried(node):
        warehouse.execute(
            f"create or replace table work.changed.{node['name']} as "
            f"select *, true as is_before from ({gone or nothing}) "
            f"union all select *, false from ({come or nothing})"
        )
    if node["resource_type"] == "source":
        warehouse.execute(
            f'create or replace table work.arrived."{node["identifier"]}" as {come or nothing}'
        )


def _put(warehouse: Copied, table: str, rows: str) -> None:
    warehouse.execute(f"create or replace table {table} as from {rows}")


def _differing(before: str, after: str) -> tuple[str, str]:
    """Queries for the rows that are only in the one table, and only in the other."""
    return f"from {before} except all from {after}", f"from {after} except all from {before}"


def _in_full(model: Node) -> str:
    """A model's `touched_by` with its relations named in full, as `carried_names` names them."""
    query = f" {model['config']['touched_by']}"
    for schema in ("changed", "arrived", "landing"):
        query = query.replace(f" {schema}.", f" work.{schema}.")
    return query.replace(" carried.main.", " warehouse.main.")


def _unique_by(warehouse: Copied, node: Node) -> set[str]:
    """The columns by which a model's own test says that its rows are unique."""
    return {
        column
        for test in warehouse.nodes.values()
        if test.get("attached_node") == node["unique_id"]
        and test["test_metadata"]["name"] == "row_rules"
        for column in test["test_metadata"]["kwargs"]["key"]
    }
