"""A writer that dies at any step leaves nothing half-visible, and the next start cleans up."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import LandingError
from ingest.landing import VARCHAR, Column, Landing, TableSpec
from tests.ingest.dying import forked

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SPEC = TableSpec("rail", "payments", (Column("id", VARCHAR),), ("id",))

# A writer that dies at a step.
WRITERS = """
from datetime import datetime, UTC
from ingest import landing, parquet, spool
from tests.ingest.dying import die_at, serve_forks

now = datetime(2026, 4, 1, tzinfo=UTC)
spec = landing.TableSpec("rail", "payments", (landing.Column("id", landing.VARCHAR),), ("id",))
refused = [landing.Quarantined("f", 1, "torn_line", "ends early", None, "Send it again")]

def write(home, fatal):
    store = landing.Landing(home)
    store.ensure_schema([spec, landing.QUARANTINE])
    die_at(fatal, (parquet, "copy_to_parquet"), (spool, "spool_rows"))
    rows = [{"id": "b"}, {"id": "c"}]
    store.write(spec, rows, batch_id="second", received_at=now, quarantined=refused)

serve_forks(write)
"""


@pytest.fixture
def write_until() -> Iterator[Callable[[Path, int], int]]:
    """Runs a writer that dies at a step, and returns how it ended."""
    with forked(WRITERS) as run:
        yield run


def test_a_writer_killed_at_any_step_leaves_all_or_nothing(
    home: Path, write_until: Callable[[Path, int], int]
) -> None:
    Landing(home).write(SPEC, [{"id": "a"}], batch_id="first", received_at=NOW)
    outcomes = []
    for fatal in range(1, 60):
        ended = write_until(home, fatal)
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
