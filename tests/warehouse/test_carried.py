"""A build that goes on from the last one's tables gives what a build from nothing gives.

Belongs here: landings that arrive in parts, what touches a carried model, and when nothing may be
carried. Does not belong here: what the rows must be; the scenarios and the mutations say that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project import building, carrying
from dagster_project.home import Home, prepare_home, read_state, write_state
from dagster_project.manifest import Manifest
from dagster_project.runs import Run
from ingest.parquet import sql_path
from tests.bench.big_world import pin
from tests.mutation import harness
from tests.warehouse.comparing import different_tables
from tests.warehouse.conftest import ANCHOR, Built
from tests.warehouse.pieces import PARTS, cut

RUN = Run(run_id="parts", as_of=ANCHOR, known_at=ANCHOR, started_at=ANCHOR)
CODE = {"models/one.sql": [1, 2]}
# What a carried model reads and no row of its own follows from: only receipts stand behind charges.
UNTOUCHING = {
    "int_charge_sources": {"kernel_settlement_adjustments", "kernel_funding_holds"},
}


def test_scenarios_that_arrive_in_parts_end_as_if_built_from_nothing(
    scenarios: Built, tmp_path: Path
) -> None:
    carried, anew = _cut_twice(scenarios.home, tmp_path, seed=1)
    for parts in range(1, PARTS + 1):
        _build(carried, RUN, parts)
    _build(anew, RUN, PARTS, carried=False)
    assert different_tables(carried, anew) == {}

    _build(carried, RUN, PARTS)
    assert _replaced(carried) == dict.fromkeys(_carried(_nodes(carried)), 0), "nothing arrived"
    assert different_tables(carried, anew) == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_mutations_that_arrive_in_parts_are_as_if_built_from_nothing_after_each(
    tmp_path: Path, seed: int
) -> None:
    assert harness.run(tmp_path / "mutations", random_worlds=20).failures == []
    run = Run("parts", harness.ANCHOR, harness.ANCHOR, harness.ANCHOR)
    carried, anew = _cut_twice(prepare_home(tmp_path / "mutations"), tmp_path, seed)
    for parts in range(1, PARTS + 1):
        _build(carried, run, parts)
        _build(anew, run, parts, carried=False)
        assert different_tables(carried, anew) == {}, parts


def test_whatever_a_carried_model_reads_can_touch_it(scenarios: Built) -> None:
    """A parent that is added to a model and not to its `touched_by` would leave stale rows."""
    nodes = _nodes(scenarios.home)
    for name, node in _carried(nodes).items():
        asked = node["config"].get("touched_by")
        if asked is None:
            continue
        read = {_table(nodes[parent]) for parent in _behind_views(nodes, node)}
        named = set(re.findall(r"\b(?:changed|arrived)\.(\w+)", asked))
        assert read - named == UNTOUCHING.get(name, set()), name


def test_no_cut_off_moves_a_carried_model(scenarios: Built) -> None:
    nodes = _nodes(scenarios.home)
    for name, node in _carried(nodes).items():
        waiting, seen = [node], set()
        while waiting:
            one = waiting.pop()
            assert not re.search(r"as_of|known_at", one.get("raw_code", "")), (name, one["name"])
            for parent in one.get("depends_on", {}).get("nodes", ()):
                if parent not in seen and not parent.endswith(".stg_tieout__run"):
                    seen.add(parent)
                    waiting.append(nodes[parent])


def test_the_same_code_goes_on_from_batches_that_the_run_sees(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert carrying.resume(home, _pinned(home, 3), CODE)


def test_a_batch_that_the_run_does_not_see_starts_anew(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert not carrying.resume(home, _pinned(home, 1), CODE)
    assert not (home.warehouse / carrying.CARRIED).exists()


def test_other_code_starts_anew(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert not carrying.resume(home, _pinned(home, 2), {"models/one.sql": [1, 3]})


def test_another_engine_starts_anew(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    state = home.warehouse / "carried.json"
    write_state(state, read_state(state) | {"engine": "0.0.1"})
    assert not carrying.resume(home, _pinned(home, 2), CODE)


def test_a_build_that_died_leaves_nothing_to_go_on_from(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert carrying.resume(home, _pinned(home, 2), CODE)
    assert not carrying.resume(home, _pinned(home, 2), CODE), (
        "nobody said that the first build ended well"
    )


def test_carried_tables_that_are_gone_start_anew(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    (home.warehouse / carrying.CARRIED).unlink()
    assert not carrying.resume(home, _pinned(home, 2), CODE)


def _kept(root: Path, parts: int) -> Home:
    home = prepare_home(root)
    (home.warehouse / carrying.CARRIED).touch()
    carrying.keep(home, _pinned(home, parts), CODE)
    return home


def _pinned(home: Home, parts: int) -> str:
    """Pins the first so many parts, and says in which file."""
    pin(home.root, *(f"part{part}" for part in range(parts)), run_id=RUN.run_id)
    return sql_path(home.root / f"landing/tieout/pinned_batches/1-pin-{RUN.run_id}.parquet")


def _cut_twice(home: Home, folder: Path, seed: int) -> tuple[Home, Home]:
    """Two homes in which what a home landed arrives in the same parts."""
    homes = prepare_home(folder / "carried"), prepare_home(folder / "anew")
    for cut_up in homes:
        cut(home.root / "landing", cut_up.root, seed)
    return homes


def _build(home: Home, run: Run, parts: int, *, carried: bool = True) -> None:
    _pinned(home, parts)
    building.build(home, run, carried=carried).require_good()


def _replaced(home: Home) -> dict[str, int]:
    """How many rows of each carried model the last build took away or put in."""
    with duckdb.connect(str(home.warehouse / "work.duckdb"), read_only=True) as work:
        return dict(
            work.execute(
                "select table_name, estimated_size from duckdb_tables() "
                "where schema_name = 'changed'"
            ).fetchall()
        )


def _nodes(home: Home) -> dict[str, dict[str, Any]]:
    content = Manifest.load(home).content
    return {**content["nodes"], **content["sources"]}


def _carried(nodes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {
        node["name"]: node
        for node in nodes.values()
        if node.get("config", {}).get("materialized") == "carried"
    }
    assert len(found) > 10
    return found


def _behind_views(nodes: dict[str, dict[str, Any]], node: dict[str, Any]) -> Iterator[str]:
    """Tables and landed tables that a model reads, itself or through views."""
    for parent in node["depends_on"]["nodes"]:
        one = nodes[parent]
        if one["resource_type"] == "seed" or one["name"] == "stg_tieout__run":
            continue  # Another seed is other code.
        if one["resource_type"] == "source":
            if one["source_name"] != "run":
                yield parent
        elif one["config"]["materialized"] == "view":
            yield from _behind_views(nodes, one)
        else:
            yield parent


def _table(node: dict[str, Any]) -> str:
    return str(node["identifier"] if node["resource_type"] == "source" else node["name"])
