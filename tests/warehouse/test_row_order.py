"""No table depends on the order in which the rows that it reads happen to lie.

Belongs here: every model computed again over shuffled rows. Does not belong here: what the rows
must be; the scenarios and the mutations say that.

A tie that nothing breaks is decided by the engine, one way today and another on a busier machine:
a gate would then open or stay shut by chance, and no replay would give the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project import building
from dagster_project.home import Home, prepare_home
from dagster_project.runs import Run
from tests.bench.big_world import pin
from tests.mutation import harness
from tests.warehouse.comparing import FILES
from tests.warehouse.conftest import ANCHOR, Built
from tests.warehouse.copied import Copied, copied
from tests.warehouse.pieces import PARTS, cut

RUN_ID = "shuffled"
RUN = Run(run_id=RUN_ID, as_of=ANCHOR, known_at=ANCHOR, started_at=ANCHOR)


def test_scenarios_are_the_same_in_any_order_of_rows(scenarios: Built, tmp_path: Path) -> None:
    home = _cut(scenarios.home, tmp_path / "cut", seed=1)
    with copied(home) as warehouse:
        assert _differ(warehouse, seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_mutations_are_the_same_in_any_order_of_rows(tmp_path: Path, seed: int) -> None:
    assert harness.run(tmp_path / "mutations", random_worlds=20).failures == []
    home = _cut(prepare_home(tmp_path / "mutations"), tmp_path / "cut", seed)
    with copied(home) as warehouse:
        assert _differ(warehouse, seed) == []


def _cut(source: Home, root: Path, seed: int) -> Home:
    """A built home in which much landed twice, once with a value of another row: ties."""
    home = prepare_home(root)
    cut(source.root / "landing", home.root, seed)
    pin(home.root, *(f"part{part}" for part in range(PARTS)), run_id=RUN_ID)
    building.build(home, RUN, carried=False).require_good()
    return home


def _differ(warehouse: Copied, seed: int) -> list[str]:
    """The models that come out another way when the rows they read lie in another order."""
    tables = warehouse.rows(
        "select database_name || '.' || schema_name || '.' || table_name "
        f"from duckdb_tables() where database_name in {FILES}"
    )
    for (name,) in tables:
        warehouse.execute(
            f"create or replace table {name} as select * from {name} order by hash(rowid, {seed})"
        )
    models = [
        node
        for node in warehouse.nodes.values()
        if node["resource_type"] == "model" and node["config"]["materialized"] != "view"
    ]
    assert len(models) > 100
    assert not _is_same(
        warehouse,
        "(select list(payout_key order by payout_key) from warehouse.main.payout_gates)",
        "select list(payout_key) from warehouse.main.payout_gates",
    ), "rows lie in another order, so a model to which that matters is noticed"
    return [
        node["name"]
        for node in models
        if not _is_same(warehouse, warehouse.relation(node), warehouse.compiled(node["name"]))
    ]


def _is_same(warehouse: Copied, relation: str, query: str) -> bool:
    warehouse.execute(f"create or replace temp table anew as {query}")
    return not any(
        warehouse.rows(f"from {left} except all from {right} limit 1")
        for left, right in ((relation, "anew"), ("anew", relation))
    )
