"""A build that goes on from the last one's tables gives what a build from nothing gives.

Belongs here: landings that arrive in parts, what touches a carried model, and when nothing may be
carried. Does not belong here: what the rows must be; the scenarios and the mutations say that.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dagster_project import building, carrying
from dagster_project.home import Home, prepare_home, read_state, write_state
from dagster_project.runs import Run
from ingest.parquet import sql_path
from tests.bench.big_world import pin
from tests.mutation import harness
from tests.warehouse.comparing import different_tables
from tests.warehouse.conftest import ANCHOR, Built
from tests.warehouse.copied import Node, is_carried, is_view, nodes_of, read_by, table_of
from tests.warehouse.pieces import PARTS, cut

RUN_ID = "parts"
# So much later is the run that reads the next part.
DAYS_BETWEEN = 30
CODE = {"models/one.sql": [1, 2]}
# What a carried model reads and names in no touching query: because none of its rows follows from
# it, or because the rows that do are touched each time.
UNTOUCHING = {
    # Only receipts stand behind charges.
    "int_charge_sources": {"kernel_settlement_adjustments", "kernel_funding_holds"},
    # Completeness says what an open charge is called; open ones are touched each time.
    "int_collection_positions": {"int_source_completeness"},
    # All that hangs on holds and adjustments is touched each time.
    "int_link_checks": {"kernel_settlement_adjustments", "int_hold_positions"},
    "int_link_totals": {
        "kernel_settlement_adjustments",
        "kernel_funding_holds",
        # What became of a run bears on who may fund a payout, not on what its links sum to.
        "int_runs",
    },
    # Every movement that was ever erased is touched each time.
    "int_movement_outcomes": {"tieout_erasures"},
    "int_source_parts": {
        "kernel_settlement_adjustments",
        "int_hold_positions",
        "int_hold_payments",
    },
    "movement_references": {"kernel_settlement_adjustments", "kernel_funding_holds"},
}
# What depends on the day and on no batch: of these, all rows that are open are touched each time.
OF_THE_DAY = {"int_collection_positions", "int_object_movements"}


def test_scenarios_that_arrive_in_parts_end_as_if_built_from_nothing(
    scenarios: Built, tmp_path: Path
) -> None:
    carried, anew = _cut_twice(scenarios.home, tmp_path, seed=1)
    for parts in range(1, PARTS + 1):
        gone_on = _build(carried, _run(ANCHOR, PARTS - parts), parts)
    whole = _build(anew, _run(ANCHOR), PARTS, carried=False)
    assert different_tables(carried, anew) == {}
    told = [sorted((node.unique_id, node.status) for node in one.nodes) for one in (gone_on, whole)]
    assert told[0] == told[1], "each model and test is told of, as after a build from nothing"
    assert "work.changed.int_runs" in _compiled_test(carried, "row_rules_int_runs")
    assert "work.changed" not in _compiled_test(carried, "row_rules_source_positions"), (
        "its rows are replaced by settlement, so two of one key could meet unseen"
    )

    _build(carried, _run(ANCHOR), PARTS)
    assert _replaced(carried) == dict.fromkeys(_carried(nodes_of(carried)), 0), "nothing arrived"
    assert different_tables(carried, anew) == {}
    sizes = [(home.warehouse / "warehouse.duckdb").stat().st_size for home in (carried, anew)]
    assert sizes[0] < 1.3 * sizes[1], "what was dropped left no holes in what is published"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_mutations_that_arrive_in_parts_are_as_if_built_from_nothing_after_each(
    tmp_path: Path, seed: int
) -> None:
    assert harness.run(tmp_path / "mutations", random_worlds=20).failures == []
    carried, anew = _cut_twice(prepare_home(tmp_path / "mutations"), tmp_path, seed)
    for parts in range(1, PARTS + 1):
        run = _run(harness.ANCHOR, PARTS - parts)
        _build(carried, run, parts)
        _build(anew, run, parts, carried=False)
        assert different_tables(carried, anew) == {}, parts


def test_whatever_a_carried_model_reads_can_touch_it(scenarios: Built) -> None:
    """A parent that is added to a model and not to its `touched_by` would leave stale rows."""
    nodes = nodes_of(scenarios.home)
    for name, node in _carried(nodes).items():
        asked = node["config"].get("touched_by")
        if asked is None:
            continue
        read = {table_of(one) for one in read_by(nodes, node) if not is_view(one)}
        named = set(re.findall(r"\b(?:changed|arrived|landing)\.(\w+)", asked))
        assert read - named == UNTOUCHING.get(name, set()), name


def test_what_says_which_keys_are_touched_knows_no_cut_off(scenarios: Built) -> None:
    """What a cut-off moves is computed whole and compared, or it is touched each time."""
    nodes = nodes_of(scenarios.home)
    moved = set()
    for name, node in _carried(nodes).items():
        if node["config"].get("touched_by") is None:
            continue
        views = filter(is_view, read_by(nodes, node))
        for one in (node, *views):
            if re.search(r"as_of|known_at", one["raw_code"]):
                moved.add(name)
    assert moved == OF_THE_DAY


def test_the_same_code_goes_on_from_batches_that_the_run_sees(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert carrying.resume(home, _pinned(home, 3), CODE)


def test_a_batch_that_the_run_does_not_see_starts_anew(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert not carrying.resume(home, _pinned(home, 1), CODE)
    assert not (home.warehouse / "carried.duckdb").exists()


def test_other_code_starts_anew(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert not carrying.resume(home, _pinned(home, 2), {"models/one.sql": [1, 3]})


def test_another_engine_starts_anew(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    path = home.warehouse / "carried.json"
    state = read_state(path)
    write_state(path, state | {"build": state["build"] | {"engine": "0.0.1"}})
    assert not carrying.resume(home, _pinned(home, 2), CODE)


def test_a_build_that_died_leaves_nothing_to_go_on_from(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert carrying.resume(home, _pinned(home, 2), CODE)
    assert not carrying.resume(home, _pinned(home, 2), CODE), (
        "nobody said that the first build ended well"
    )


@pytest.mark.parametrize("file", carrying.FILES)
def test_tables_that_somebody_wrote_to_start_anew(tmp_path: Path, file: str) -> None:
    home = _kept(tmp_path, 2)
    (home.warehouse / file).write_bytes(b"corrected")
    assert not carrying.resume(home, _pinned(home, 2), CODE)


def test_acts_that_are_written_into_kept_files_leave_them_kept(tmp_path: Path) -> None:
    home = _kept(tmp_path, 2)
    assert carrying.is_kept(home)
    (home.warehouse / "warehouse.duckdb").write_bytes(b"acts")
    assert not carrying.is_kept(home)
    carrying.stamp(home)
    assert carrying.resume(home, _pinned(home, 2), CODE)


@pytest.mark.parametrize("file", carrying.FILES)
def test_carried_tables_that_are_gone_start_anew(tmp_path: Path, file: str) -> None:
    home = _kept(tmp_path, 2)
    (home.warehouse / file).unlink()
    assert not carrying.resume(home, _pinned(home, 2), CODE)


def _kept(root: Path, parts: int) -> Home:
    home = prepare_home(root)
    for name in carrying.FILES:
        (home.warehouse / name).touch()
    carrying.keep(home, _pinned(home, parts), CODE)
    return home


def _pinned(home: Home, parts: int) -> str:
    """Pins the first so many parts, and says in which file."""
    pin(home.root, *(f"part{part}" for part in range(parts)), run_id=RUN_ID)
    return sql_path(home.root / f"landing/tieout/pinned_batches/1-pin-{RUN_ID}.parquet")


def _cut_twice(home: Home, folder: Path, seed: int) -> tuple[Home, Home]:
    """Two homes in which what a home landed arrives in the same parts."""
    homes = prepare_home(folder / "carried"), prepare_home(folder / "anew")
    for cut_up in homes:
        cut(home.root / "landing", cut_up.root, seed)
    return homes


def _build(home: Home, run: Run, parts: int, *, carried: bool = True) -> building.BuildResult:
    _pinned(home, parts)
    result = building.build(home, run, carried=carried)
    result.require_good()
    return result


def _compiled_test(home: Home, name: str) -> str:
    """The SQL of the one test whose name begins so, as the last build ran it."""
    (path,) = home.dbt_target.glob(f"compiled/**/{name}_*.sql")
    return path.read_text(encoding="utf-8")


def _run(last: datetime, steps_before: int = 0) -> Run:
    """A run so many times `DAYS_BETWEEN` before the last one."""
    now = last - timedelta(days=DAYS_BETWEEN * steps_before)
    return Run(run_id=RUN_ID, as_of=now, known_at=now, started_at=now)


def _replaced(home: Home) -> dict[str, int]:
    """How many rows of each carried model the last build replaced by another, or took away."""
    with duckdb.connect(str(home.warehouse / "work.duckdb"), read_only=True) as work:
        names = work.execute(
            "select table_name from duckdb_tables() where schema_name = 'changed'"
        ).fetchall()
        return {
            name: len(
                work.execute(
                    f"select * exclude (is_before) from changed.{name} group by all "
                    "having count(*) <> 2 * count(case when is_before then 1 end)"
                ).fetchall()
            )
            for (name,) in names
        }


def _carried(nodes: dict[str, Node]) -> dict[str, Node]:
    found = {node["name"]: node for node in nodes.values() if is_carried(node)}
    assert len(found) > 10
    return found
