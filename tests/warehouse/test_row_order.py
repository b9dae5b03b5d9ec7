"""No table depends on the order in which the rows that it reads happen to lie.

Belongs here: every model computed again over shuffled rows. Does not belong here: what the rows
must be; the scenarios and the mutations say that.

A tie that nothing breaks is decided by the engine, one way today and another on a busier machine:
a gate would then open or stay shut by chance, and no replay would give the same bytes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from dagster_project import building
from dagster_project.home import Home, prepare_home
from dagster_project.manifest import Manifest
from dagster_project.runs import Run
from tests.bench.big_world import pin
from tests.mutation import harness
from tests.warehouse.comparing import FILES
from tests.warehouse.conftest import ANCHOR, Built
from tests.warehouse.pieces import PARTS, cut

RUN_ID = "shuffled"
RUN = Run(run_id=RUN_ID, as_of=ANCHOR, known_at=ANCHOR, started_at=ANCHOR)


def test_scenarios_are_the_same_in_any_order_of_rows(scenarios: Built, tmp_path: Path) -> None:
    home = _cut(scenarios.home, tmp_path / "cut", seed=1)
    assert _differ(home, tmp_path / "copy", seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_mutations_are_the_same_in_any_order_of_rows(tmp_path: Path, seed: int) -> None:
    assert harness.run(tmp_path / "mutations", random_worlds=20).failures == []
    home = _cut(prepare_home(tmp_path / "mutations"), tmp_path / "cut", seed)
    assert _differ(home, tmp_path / "copy", seed) == []


def _cut(source: Home, root: Path, seed: int) -> Home:
    """A built home in which much landed twice, once with a value of another row: ties."""
    home = prepare_home(root)
    cut(source.root / "landing", home.root, seed)
    pin(home.root, *(f"part{part}" for part in range(PARTS)), run_id=RUN_ID)
    building.build(home, RUN, carried=False).require_good()
    return home


def _differ(home: Home, copy: Path, seed: int) -> list[str]:
    """The models that come out another way when the rows they read lie in another order."""
    shutil.copytree(home.warehouse, copy)
    nodes = Manifest.load(home).content["nodes"].values()
    with duckdb.connect() as database:
        # One thread writes rows in the order in which they are sorted.
        database.execute("set threads = 1")
        for file in FILES:
            database.execute(f"attach '{copy}/{file}.duckdb' as {file}")
        _shuffle(database, seed)
        models = [
            node
            for node in nodes
            if node["resource_type"] == "model" and node["config"]["materialized"] != "view"
        ]
        differ = [
            node["name"]
            for node in models
            if not _is_same(database, node["relation_name"], _compiled(home, node["name"]))
        ]
        assert len(models) > 100
        assert not _is_same(
            database,
            "(select list(payout_key order by payout_key) from warehouse.main.payout_gates)",
            "select list(payout_key) from warehouse.main.payout_gates",
        ), "rows lie in another order, so a model to which that matters is noticed"
    return differ


def _shuffle(database: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Lays the rows of every table in another order, landed ones included."""
    tables, landed = (
        database.execute(
            f"select database_name || '.' || schema_name || '.' || {kind}_name "
            f"from duckdb_{kind}s() where {chosen}"
        ).fetchall()
        for kind, chosen in (
            ("table", f"database_name in {FILES}"),
            ("view", "schema_name = 'landing'"),
        )
    )
    for (name,) in landed:
        database.execute(f"create temp table landed as select * from {name}")
        database.execute(f"drop view {name}; create table {name} as from landed; drop table landed")
    for (name,) in (*tables, *landed):
        database.execute(
            f"create or replace table {name} as select * from {name} order by hash(rowid, {seed})"
        )


def _compiled(home: Home, name: str) -> str:
    """The SQL of one model, as the build ran it."""
    (path,) = home.dbt_target.glob(f"compiled/**/models/**/{name}.sql")
    return path.read_text(encoding="utf-8")


def _is_same(database: duckdb.DuckDBPyConnection, relation: str, query: str) -> bool:
    database.execute(f"create or replace temp table anew as {query}")
    one_way, other_way = (
        database.execute(f"select exists (from {left} except all from {right})").fetchone()
        for left, right in ((relation, "anew"), ("anew", relation))
    )
    return one_way == other_way == (False,)
