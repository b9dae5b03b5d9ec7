"""A writer that dies at any step leaves nothing half-visible, and the next start cleans up."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import LandingError
from ingest.landing import VARCHAR, Column, Landing, TableSpec

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SPEC = TableSpec("rail", "payments", (Column("id", VARCHAR),), ("id",))

# Forks a writer for each number it is given; the kernel kills that writer at its n-th step. A step
# is each call that changes the disk.
WRITERS = """
import os, signal, sys, pathlib
from datetime import datetime, UTC
from ingest import files, landing, parquet, spool

home = pathlib.Path(sys.argv[1])
now = datetime(2026, 4, 1, tzinfo=UTC)
spec = landing.TableSpec("rail", "payments", (landing.Column("id", landing.VARCHAR),), ("id",))
refused = [landing.Quarantined("f", 1, "torn_line", "ends early", None, "Send it again")]

def write(fatal):
    steps = 0
    def counted(function):
        def step(*arguments, **named):
            nonlocal steps
            steps += 1
            if steps == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)
        return step
    store = landing.Landing(home)
    store.ensure_schema([spec, landing.QUARANTINE])
    os.fsync = counted(os.fsync)
    pathlib.Path.replace = counted(pathlib.Path.replace)
    pathlib.Path.unlink = counted(pathlib.Path.unlink)
    parquet.copy_to_parquet = counted(parquet.copy_to_parquet)
    spool.spool_rows = counted(spool.spool_rows)
    rows = [{"id": "b"}, {"id": "c"}]
    store.write(spec, rows, batch_id="second", received_at=now, quarantined=refused)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        write(int(line))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def write_until(home: Path) -> Iterator[Callable[[int], int]]:
    """Runs a writer that dies at a step, and returns how it ended."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS, str(home)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        tell, hear = process.stdin, process.stdout

        def run(fatal: int) -> int:
            tell.write(f"{fatal}\n")
            tell.flush()
            return int(hear.readline())

        yield run
        tell.close()


def test_a_writer_killed_at_any_step_leaves_all_or_nothing(
    home: Path, write_until: Callable[[int], int]
) -> None:
    Landing(home).write(SPEC, [{"id": "a"}], batch_id="first", received_at=NOW)
    outcomes = []
    for fatal in range(1, 60):
        ended = write_until(fatal)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        landing = Landing(home)
        batches = {m.batch_id: m for m in landing.committed("rail")}
        rows = [row[0] for row in landing.rows(SPEC, ["id"])]
        assert rows == (["a", "b", "c"] if "second" in batches else ["a"])
        for manifest in landing.committed():
            landing.verify(manifest)
        remains = [path for path in home.rglob("*") if path.name.endswith(".tmp")]
        loose = [
            path
            for path in home.glob("landing/*/*/*.parquet")
            if path.name != "schema.parquet"
            and not path.with_name(f"{path.stem}.manifest.json").exists()
        ]
        assert (remains, loose) == ([], [])
        outcomes.append("second" in batches)
        if "second" in batches:
            # Nothing was lost; start over for the steps after the commit.
            for path in home.glob("landing/rail/payments/second.*"):
                path.unlink()
    else:
        pytest.fail("the writer never came to its end")
    assert len(outcomes) >= 10
    # There is one moment at which the batch begins to exist, and it stays.
    assert outcomes == sorted(outcomes)
    assert outcomes[0] is False


def test_the_next_start_spares_a_writer_at_work(home: Path) -> None:
    landing = Landing(home)
    reached, go_on = threading.Event(), threading.Event()

    def rows() -> Iterator[dict[str, Any]]:
        yield {"id": "a"}
        reached.set()
        assert go_on.wait(10)

    writer = threading.Thread(
        target=lambda: landing.write(SPEC, rows(), batch_id="slow", received_at=NOW)
    )
    writer.start()
    assert reached.wait(10)
    at_work = list(home.rglob("*.tmp"))
    Landing(home)
    assert list(home.rglob("*.tmp")) == at_work != []
    go_on.set()
    writer.join()
    assert [m.batch_id for m in landing.committed()] == ["slow"]


def test_an_error_while_rows_are_made_leaves_nothing(home: Path) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"id": "a"}
        raise ConnectionError

    landing = Landing(home)
    with pytest.raises(ConnectionError):
        landing.write(SPEC, rows(), batch_id="b", received_at=NOW)
    assert landing.committed() == []
    assert not list(home.rglob("*.tmp"))


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    landing = Landing(home)
    landing.ensure_schema([SPEC])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LandingError, match=r"No space left.*landing_disk"):
        landing.write(SPEC, [{"id": "a"}], batch_id="b", received_at=NOW)
    monkeypatch.undo()
    assert landing.committed() == []
    assert not list(home.rglob("*.tmp"))
    assert landing.write(SPEC, [{"id": "a"}], batch_id="b", received_at=NOW)


def test_a_home_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LandingError, match="TIEOUT_HOME"):
        Landing(tmp_path / "file" / "home")
