"""One further run of a small home, after many runs before it that found nothing new.

Belongs here: landing again, under earlier times, what one idle run landed, and timing the parts of
the next run. Does not belong here: a world of any size (`reconciliation`).

    python -m tests.bench.many_runs [EARLIER_RUNS ...]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from dagster_project import closing, pipeline
from dagster_project.runs import Run, begin
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.sources import all_specs
from ingest.audit import Act, append_acts, read_audit
from ingest.controls import AUDIT
from ingest.folding import fold_landing
from ingest.landing import new_batch_id
from ingest.tables import PINNED_BATCHES, TIMESTAMP, TableSpec

EARLIER: Final = (0, 500, 2_000)
FOLDED_EVERY: Final = 100
ACTS_A_RUN: Final = 5
_OLD: Final = datetime(1990, 1, 1, tzinfo=UTC)

Batches = list[tuple[TableSpec, str, list[dict[str, Any]]]]


def main(earlier: list[int]) -> None:
    """Prints one line a number of earlier runs."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_env({"TIEOUT_HOME": str(Path(folder) / "home")})
        with Session.open(settings) as session:
            run, _ = one_run(session, 0)
            one_run(session, 1)
            idle = landed_by(session, one_run(session, 2)[0])
            print(f"an idle run lands {len(idle) + 2} batches", flush=True)
            added = 0
            for number in sorted(earlier or EARLIER):
                started = time.perf_counter()
                add_runs(session, idle, run.started_at, added, number)
                added = number
                setup = time.perf_counter() - started
                began = time.process_time()
                _, seconds = one_run(session, 3 + number)
                busy = time.process_time() - began
                parts = ", ".join(f"{name} {taken:.2f}" for name, taken in seconds.items())
                files = sum(1 for _ in session.home.root.glob("landing/*/*/*.parquet"))
                told = f"{number:,} runs before, {files:,} files: {sum(seconds.values()):.2f} s"
                print(f"{told} ({parts}), {busy:.2f} s of the processors", flush=True)
                print(f"  laid out in {setup:.0f} s", flush=True)


def one_run(session: Session, number: int) -> tuple[Run, dict[str, float]]:
    """One whole run, and the seconds of its parts; each begins a second after the last at least."""
    time.sleep(1)
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - began

    # As a new process would: what an earlier run of this one remembers does not count.
    with Session.open(session.settings) as fresh:
        fresh._simulation = session._simulation
        fresh.keep_simulator = True
        run = begin(fresh.home, f"bench-{number}", now=fresh.clock())
        fresh.rail()
        with timed("landing"):
            pipeline.land_rail(fresh, run)
            pipeline.land_kernel_exports(fresh, run)
            pipeline.land_own_records(fresh, run)
        with timed("pin"):
            pipeline.pin(fresh, run)
        began, first = time.perf_counter(), []
        result = pipeline.build_warehouse(
            fresh, run, on_node=lambda _: first.append(time.perf_counter())
        )
        result.require_good()
        seconds["fold and dbt start"] = first[0] - began
        seconds["build"] = time.perf_counter() - first[0]
        with timed("close"):
            pipeline.publish(fresh, run)
            closing.land_acts(fresh, run)
        with timed("acts"):
            acts = pipeline.build_acts(fresh, run, known_at=fresh.clock())
            assert acts is not None
            acts.require_good()
        session._simulation = fresh._simulation
    return run, seconds


def landed_by(session: Session, run: Run) -> Batches:
    """What a run landed but its pins and its audit lines, as rows by table and batch."""
    specs = {(spec.source, spec.table): spec for spec in all_specs()}
    found: Batches = []
    for manifest in session.landing.committed():
        spec = specs[manifest.source, manifest.table]
        if manifest.received_at >= run.started_at and spec not in (PINNED_BATCHES, AUDIT):
            names = [column.name for column in spec.columns]
            query = f"select {', '.join(names)} from t where batch_id = '{manifest.batch_id}'"
            rows = session.landing.query(f"{query} order by row_no", t=spec)
            found.append(
                (spec, manifest.batch_id, [dict(zip(names, row, strict=True)) for row in rows])
            )
    return found


def add_runs(session: Session, idle: Batches, before: datetime, first: int, last: int) -> None:
    """Lands the idle runs numbered `first` to `last`, an hour apart, the higher the earlier."""
    landing, home = session.landing, session.home.root
    times = {number: before - timedelta(hours=number + 1) for number in range(first, last)}
    append_acts(home, [act for number, at in times.items() for act in _acts(number, at)])
    trail = read_audit(home).rows[-ACTS_A_RUN * len(times) :] if times else ()
    for place, (number, at) in enumerate(times.items()):
        run_id = f"earlier-{number}"
        for part, (spec, batch_id, rows) in enumerate(idle):
            landing.write(
                replace(spec, append_only=True),
                [_earlier(spec, row, run_id, timedelta(hours=number + 1)) for row in rows],
                batch_id=new_batch_id(at, f"{run_id}-{part}"),
                received_at=at,
                request={"of": batch_id},
            )
        acts = trail[place * ACTS_A_RUN : (place + 1) * ACTS_A_RUN]
        batch_id = new_batch_id(at, run_id)
        landing.write(replace(AUDIT, append_only=True), acts, batch_id=batch_id, received_at=at)
        if place % FOLDED_EVERY == 0:
            fold_landing(home, now=datetime.now(UTC))
            for late in (timedelta(0), timedelta(seconds=40)):
                landing.pin(run_id=run_id, known_at=at + late)


def _acts(number: int, at: datetime) -> Iterator[Act]:
    for action in ("run", "publish", *(f"decision:{tenant}" for tenant in range(3))):
        key = f"{action}:earlier-{number}"
        yield Act(key, "_platform", "tieout", action.partition(":")[0], key, at)


def _earlier(spec: TableSpec, row: dict[str, Any], run_id: str, hours: timedelta) -> dict[str, Any]:
    """A row as an earlier run would have landed it."""
    moved = dict(row)
    for column in spec.columns:
        value = moved[column.name]
        if column.type == TIMESTAMP and value is not None and value > _OLD:
            moved[column.name] = value - hours
        elif column.name in ("run_id", "pull_id"):
            moved[column.name] = run_id if column.name == "run_id" else f"{value}-{run_id}"
    return moved


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
