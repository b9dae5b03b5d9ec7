"""Reconciliation at size: the models beside one hand-written query on the same landed files.

Belongs here: seconds, memory and quality of one build of `big_world`, and of a build after a little
new data. Does not belong here: pandas and datacompy (`peers.py`, an interpreter of its own).

    python -m tests.bench.reconciliation [SALES] [HOME]
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from dagster_project import building
from dagster_project.home import Home, prepare_home
from dagster_project.runs import Run
from tests.bench.big_world import AS_OF, RUN_ID, SALES_PER_PAYOUT, pin, plant, truth

__all__ = ["main", "measure"]

MILLION_MOVEMENTS: Final = 910_000
# The models that join both sides and give codes, with everything they read.
MATCHING: Final = ("model.tieout.int_open_items", "model.tieout.int_movement_outcomes")

_FOUND: Final = """
select distinct coalesce(payout_key, rail_object_id, kernel_object_id) as object_id, reason_code
from reconciliation_drift
where outcome = 'break'
"""
_COMPARED: Final = """
select
    count(found.object_id) filter (truth.object_id is not null) as right_rows,
    count(*) filter (found.object_id is null) as missed_rows,
    count(*) filter (truth.object_id is null) as false_rows
from ({truth}) as truth
full outer join ({found}) as found
    on truth.object_id = found.object_id and truth.reason_code = found.reason_code
"""


def measure(root: Path, sales: int) -> None:
    """Builds one world in an empty folder and prints a row a figure."""
    home = prepare_home(root)
    plant(root, sales)
    pin(root, "base")
    floor_seconds, floor_rows = _hand_written(root)
    whole_seconds, result = _built(home, AS_OF)
    matching = _matching(home)
    carried = _carried(home)
    matching_seconds = _seconds(result, matching)
    movements = _movements(home)
    with duckdb.connect(str(home.warehouse / "warehouse.duckdb"), read_only=True) as marts:
        quality = _quality(marts, root, _FOUND)
    _tell("hand-written query: full outer joins and codes", movements, floor_seconds)
    print(f"|   its quality | {floor_rows} | | |")
    _tell("matching and classification models", movements, matching_seconds)
    print(f"|   its quality | {quality} | | |")
    print(f"|   ratio | {matching_seconds / floor_seconds:.1f} | | |")
    _tell("whole build, landed Parquet to marts, all tests", movements, whole_seconds)
    more = max(sales // 100 // SALES_PER_PAYOUT, 1) * SALES_PER_PAYOUT
    plant(root, more, batch="added", first=-(-sales // SALES_PER_PAYOUT) * SALES_PER_PAYOUT)
    pin(root, "base", "added")
    again_seconds, again = _built(home, AS_OF + timedelta(days=1))
    work = "the same a day later, with 1 % of new data in two tenant-months"
    _tell(work, _movements(home), again_seconds)
    with duckdb.connect(str(home.warehouse / "warehouse.duckdb"), read_only=True) as marts:
        print(f"|   its quality | {_quality(marts, root, _FOUND)} | | |")
    took = f"{_seconds(result, carried):.2f} from nothing, {_seconds(again, carried):.2f} going on"
    print(f"|   of which carried tables | {took} | | |")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"|   peak memory | {peak_mb} MB | | |", flush=True)


def _built(home: Home, as_of: datetime) -> tuple[float, building.BuildResult]:
    run = Run(run_id=RUN_ID, as_of=as_of, known_at=as_of, started_at=as_of)
    building.manifest_file(home)
    started = time.perf_counter()
    result = building.build(home, run)
    seconds = time.perf_counter() - started
    result.require_good()
    return seconds, result


def _hand_written(root: Path) -> tuple[float, str]:
    query = (Path(__file__).parent / "hand_written.sql").read_text()
    with duckdb.connect() as database:
        database.execute("set memory_limit = '3GB'")
        database.execute("set preserve_insertion_order = false")
        started = time.perf_counter()
        landing = str(root / "landing")
        database.execute(f"create table coded as {query.replace('{landing}', landing)}")
        seconds = time.perf_counter() - started
        found = "select distinct object_id, reason_code from coded where reason_code is not null"
        return seconds, _quality(database, root, found)


def _quality(database: duckdb.DuckDBPyConnection, root: Path, found: str) -> str:
    query = _COMPARED.format(truth=truth(root), found=found)
    right, missed, false = database.execute(query).fetchone() or (0, 0, 0)
    return f"{right} right, {missed} missed, {false} false"


def _matching(home: Home) -> frozenset[str]:
    """Names of the matching models and of every model they read."""
    parents = json.loads(building.manifest_file(home).read_bytes())["parent_map"]
    names: set[str] = set()
    waiting = list(MATCHING)
    while waiting:
        node = waiting.pop()
        if node not in names:
            names.add(node)
            waiting += parents.get(node, ())
    return frozenset(name.rpartition(".")[2] for name in names if name.startswith("model."))


def _carried(home: Home) -> frozenset[str]:
    """Names of the models whose rows one build leaves for the next."""
    nodes = json.loads(building.manifest_file(home).read_bytes())["nodes"].values()
    return frozenset(n["name"] for n in nodes if n["config"]["materialized"] == "carried")


def _seconds(result: building.BuildResult, names: frozenset[str]) -> float:
    """What the models of these names took together."""
    return sum(n.seconds for n in result.nodes if n.resource_type == "model" and n.name in names)


def _movements(home: Home) -> int:
    with duckdb.connect(str(home.warehouse / "warehouse.duckdb"), read_only=True) as marts:
        row = marts.execute("select count(*) from money_movements").fetchone()
    return int(row[0]) if row else 0


def _tell(work: str, amount: int, seconds: float) -> None:
    print(f"| {work} | {amount:,} | {seconds:.2f} | {amount / seconds:,.0f} |", flush=True)


def main(arguments: list[str]) -> None:
    """Measures one size; a home that is named stays, else it is removed."""
    sales = int(arguments[0]) if arguments else MILLION_MOVEMENTS
    print("| work | movements | seconds | a second |\n|---|---|---|---|", flush=True)
    if len(arguments) > 1:
        root = Path(arguments[1]).resolve()
        root.mkdir(mode=0o700)
        measure(root, sales)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), sales)


if __name__ == "__main__":
    main(sys.argv[1:])
