"""A fold stands for its batches row by row, and for nothing once one of them is not what it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest import folding, folds, manifests
from ingest.errors import LandingError
from ingest.folding import Folded, fold_landing
from ingest.folds import Fold, Folds, Holding, remove_folds
from ingest.landing import Landing, Quarantined
from ingest.parquet import ndjson_sha256, sql_path, sql_text
from ingest.tables import BIGINT, BOOLEAN, TIMESTAMP, VARCHAR, Column, Erased, TableSpec, columns
from tests.ingest.dying import forked

NOW = datetime(2026, 4, 1, 12, 0, 0, 7, tzinfo=UTC)
DAY = timedelta(days=1)
PAYMENTS = TableSpec(
    "rail",
    "payments",
    columns(id=VARCHAR, amount=BIGINT, paid=BOOLEAN, created=TIMESTAMP),
    key=("id",),
)
WIDER = TableSpec("rail", "payments", (Column("fee", BIGINT), *PAYMENTS.columns), ("id",))
ALL = [*(column.name for column in WIDER.columns), "batch_id", "row_no", "received_at"]


def land(home: Path, first: int, count: int, spec: TableSpec = PAYMENTS) -> None:
    """Batches of two rows each, a minute apart."""
    landing = Landing(home)
    for number in range(first, first + count):
        at = NOW + timedelta(minutes=number)
        rows: list[dict[str, Any]] = [
            {"id": f"{number}{part}", "amount": number, "paid": None, "created": at}
            for part in ("é", "b")
        ]
        if spec is WIDER:
            rows[0]["fee"] = number
        assert landing.write(spec, rows, batch_id=f"b{number:03d}", received_at=at)


def fold(home: Path, *, days: int = 0, least: int = 2, merged: int = 100) -> Folded:
    return fold_landing(home, now=NOW + days * DAY, least=least, merged=merged)


def seen(home: Path) -> tuple[Any, ...]:
    """What a reader that starts now sees: rows with their lineage, and manifests."""
    landing = Landing(home)
    return landing.rows(WIDER, ALL), landing.committed()


def holding(home: Path) -> Holding:
    return Folds(home).of("rail", "payments")


def folder(home: Path) -> Path:
    return home / "landing" / "rail" / "payments"


@pytest.fixture
def folded(home: Path) -> Path:
    """A home of four batches in one fold and one batch that is in none."""
    Landing(home).ensure_schema([WIDER])
    land(home, 0, 4)
    assert fold(home) == Folded(batches=4, folds=1)
    land(home, 4, 1)
    return home


# --- the same rows --------------------------------------------------------------------------------


def test_folded_rows_are_the_landed_rows_in_order_with_their_lineage(home: Path) -> None:
    Landing(home).ensure_schema([WIDER])
    land(home, 0, 5)
    before = seen(home)
    landed = {path: path.read_bytes() for path in (home / "landing").rglob("*.*")}
    assert fold(home) == Folded(batches=5, folds=1)
    assert seen(home) == before
    assert len(before[0]) == 10
    assert len(Landing(home).readable(WIDER)) == 2
    assert {path: path.read_bytes() for path in (home / "landing").rglob("*.*")} == landed


def test_a_row_is_read_from_its_fold_or_from_its_batch_never_from_both(folded: Path) -> None:
    names = [path.name for path in Landing(folded).readable(WIDER)]
    assert names == [holding(folded).folds[0].path.name, "b004.parquet", "schema.parquet"]
    rows = seen(folded)[0]
    assert len(rows) == len(set(rows)) == 10


def test_a_build_is_given_the_files_a_reader_reads(folded: Path) -> None:
    listed = dict(folds.readable_files(folded, "run"))
    assert listed["rail/payments"].count(".parquet") == 3
    assert str(holding(folded).folds[0].path.name) in listed["rail/payments"]
    assert "b000" not in listed["rail/payments"]
    landing = Landing(folded)
    for run_id in ("run", "other"):
        landing.pin(run_id=run_id, known_at=NOW)
    pins = dict(folds.readable_files(folded, "run"))["tieout/pinned_batches"]
    assert "-pin-run.parquet" in pins
    assert "other" not in pins


def test_batches_of_other_columns_fold_as_they_are_read(home: Path) -> None:
    land(home, 0, 2)
    land(home, 2, 2, WIDER)
    land(home, 4, 2)
    Landing(home).ensure_schema([WIDER])
    before = seen(home)
    assert fold(home).batches == 6
    assert seen(home) == before
    assert [row[0] for row in before[0]] == [None] * 4 + [2, None, 3, None] + [None] * 4


def test_a_column_that_changed_its_type_is_folded_apart(home: Path) -> None:
    land(home, 0, 3)
    text = TableSpec("rail", "payments", columns(id=VARCHAR, amount=VARCHAR), ("id",))
    for number in (3, 4):
        rows = [{"id": f"t{number}", "amount": "9"}]
        Landing(home).write(text, rows, batch_id=f"b00{number}", received_at=NOW + DAY)
    assert fold(home) == Folded(batches=3, folds=1)
    assert fold(home) == Folded(batches=2, folds=1)
    assert holding(home).loose == ()


def test_a_batch_of_refusals_alone_is_in_its_fold(home: Path) -> None:
    land(home, 0, 2)
    refused = [Quarantined("f", 1, "torn_line", "ends early", None, "Send it again")]
    Landing(home).write(PAYMENTS, [], batch_id="none", received_at=NOW, quarantined=refused)
    before = seen(home)[1]
    assert fold(home).batches == 3
    assert seen(home)[1] == before


def test_what_a_fold_holds_is_known_when_it_is_read_again(folded: Path) -> None:
    rows = [{"id": "0b", "amount": 0, "paid": None, "created": NOW}]
    landing = Landing(folded)
    assert landing.write(PAYMENTS, rows, batch_id="again", received_at=NOW + DAY) is None


def test_manifests_of_folded_batches_are_not_opened(
    folded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    read = manifests.read_manifest

    def noted(path: Path) -> Any:
        opened.append(path.name)
        return read(path)

    monkeypatch.setattr(folds, "read_manifest", noted)
    landing = Landing(folded)
    assert len(landing.committed("rail")) == 5
    assert landing.pin(run_id="r", known_at=NOW + DAY) == 5
    assert opened == ["b004.manifest.json"] * 2


def test_pins_are_the_same_with_and_without_folds(folded: Path) -> None:
    known_at = NOW + timedelta(minutes=2)
    assert Landing(folded).pin(run_id="with", known_at=known_at) == 3
    remove_folds(folded)
    assert Landing(folded).pin(run_id="without", known_at=known_at) == 3


# --- believed -------------------------------------------------------------------------------------


def gone(folder: Path) -> None:
    (folder / "b001.parquet").unlink()
    (folder / "b001.manifest.json").unlink()


def cut(folder: Path) -> None:
    os.truncate(folder / "b001.parquet", 40)


def without_commit(folder: Path) -> None:
    (folder / "b001.manifest.json").unlink()


def told_otherwise(folder: Path) -> None:
    path = folder / "b001.manifest.json"
    path.write_text(path.read_text().replace('"unchanged":0', '"unchanged":7'))


@pytest.mark.parametrize("change", [gone, cut, without_commit, told_otherwise])
def test_a_fold_counts_as_nothing_once_a_batch_of_it_changed(
    folded: Path, change: Callable[[Path], None]
) -> None:
    reader = Folds(folded)
    before = reader.of("rail", "payments")
    assert (len(before.folds), before.loose) == (1, ("b004",))
    change(folder(folded))
    after = reader.of("rail", "payments", afresh=True)
    assert (after.folds, len(after.void)) == ((), 1)
    assert set(after.loose) >= {"b000", "b002", "b003", "b004"}
    # The next run removes it, with the rows it copied.
    assert fold_landing(folded, now=NOW).removed == 1
    assert list(folded.glob("folds/*/*/*")) == []


def test_a_batch_rewritten_by_an_erasure_is_read_as_rewritten(folded: Path) -> None:
    landing = Landing(folded)
    gone(folder(folded))
    rows = [{"id": "1b", "amount": 1, "paid": None, "created": NOW}]
    landing.write(PAYMENTS, rows, batch_id="b001", received_at=NOW + timedelta(minutes=1))
    found = [row[1] for row in seen(folded)[0]]
    assert sorted(found) == sorted(["0é", "0b", "1b", "2é", "2b", "3é", "3b", "4é", "4b"])


def test_a_batch_that_lost_rows_is_folded_again_with_the_numbers_of_those_that_stay(
    folded: Path,
) -> None:
    path = folder(folded) / "b001.parquet"
    with duckdb.connect() as database:
        source = f"read_parquet({sql_path(path)}) where row_no = 2"
        database.execute(f"create table kept as select * from {source}")
        database.execute(f"copy kept to {sql_text(str(path))} (format parquet)")
        digest = ndjson_sha256(database, PAYMENTS.columns, path)
    commit = path.with_name("b001.manifest.json")
    smaller = replace(
        manifests.read_manifest(commit),
        rows=1,
        ndjson_sha256=digest,
        parquet_bytes=path.stat().st_size,
        erased=(Erased("erasure", "t1", NOW, 1, "0" * 64),),
    )
    commit.write_bytes(manifests.manifest_bytes(smaller))
    before = seen(folded)
    assert [row[-2] for row in before[0] if row[-3] == "b001"] == [2]
    assert fold(folded) == Folded(batches=5, folds=1, removed=1)
    assert seen(folded) == before


def test_a_missing_batch_is_told_although_a_fold_holds_its_rows(folded: Path) -> None:
    (folder(folded) / "b001.parquet").unlink()
    with pytest.raises(LandingError, match=r"no file.*b001"):
        Landing(folded).pin(run_id="r", known_at=NOW + DAY)


def test_a_home_restored_from_a_backup_keeps_its_folds(folded: Path) -> None:
    for path in folder(folded).iterdir():
        os.utime(path)
    assert len(holding(folded).folds) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"shapes": 1}', b"\xff"])
def test_a_fold_whose_manifest_is_none_is_not_believed(folded: Path, content: bytes) -> None:
    before = seen(folded)
    holding(folded).folds[0].manifest_path.write_bytes(content)
    assert holding(folded).folds == ()
    assert seen(folded) == before
    assert fold(folded).removed == 1


def test_a_fold_cut_short_is_not_believed(folded: Path) -> None:
    before = seen(folded)
    os.truncate(holding(folded).folds[0].path, 40)
    assert holding(folded).folds == ()
    assert seen(folded) == before


def test_without_folds_the_same_rows_are_read(folded: Path) -> None:
    before = seen(folded)
    remove_folds(folded)
    assert not (folded / "folds").exists()
    assert seen(folded) == before


# --- what is not folded ---------------------------------------------------------------------------


def test_rows_that_are_not_what_was_committed_are_left_out_and_named(home: Path) -> None:
    land(home, 0, 4)
    other = home / "other"
    land(other, 0, 4)
    forged = Landing(other)
    rows = [{"id": "x", "amount": 1, "paid": None, "created": NOW}]
    forged.write(PAYMENTS, rows, batch_id="forged", received_at=NOW + timedelta(minutes=1))
    path = folder(home) / "b001.parquet"
    content = (folder(other) / "forged.parquet").read_bytes()
    path.write_bytes(content)
    done = fold(home)
    assert set(done.refused) == {"rail/payments/b001", "rail/payments/forged"}
    assert (done.batches, holding(home).loose) == (3, ("b001",))


def test_few_batches_and_large_ones_stay_as_they_are(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home, 0, 5)
    assert fold(home, least=6) == Folded()
    land(home, 5, 1)
    assert fold(home, least=6) == Folded(batches=6, folds=1)
    land(home, 6, 6)
    monkeypatch.setattr(folding, "MAX_BYTES", folding.LEAST * 100)
    assert fold(home, least=6) == Folded()


def test_a_run_folds_no_more_than_it_may(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(home, 0, 10)
    monkeypatch.setattr(folding, "FILES_A_RUN", 4)
    assert fold(home).batches == 4
    monkeypatch.setattr(folding, "ROWS_A_RUN", 6)
    assert fold(home).batches == 3
    assert len(holding(home).loose) == 3


def test_a_census_counts_what_lies_in_a_landing(folded: Path) -> None:
    found = folds.census(folded)
    assert (found.batches, found.folds, found.folded, found.void, found.damaged) == (5, 1, 4, 0, [])
    cut(folder(folded))
    found = folds.census(folded)
    assert (found.batches, found.folds, found.folded, found.void) == (5, 0, 0, 1)
    assert found.damaged == ["40 bytes at landing/rail/payments/b001.parquet"]


# --- growth ---------------------------------------------------------------------------------------


def test_files_grow_with_the_logarithm_of_the_batches(home: Path) -> None:
    for number in range(0, 32, 2):
        land(home, number, 2)
        fold(home, merged=2)
    rows, committed = seen(home)
    found = holding(home)
    assert len(found.folds) + len(found.loose) <= 2
    assert len(rows) == len(set(rows)) == 64
    assert len(committed) == 32


def test_a_superseded_fold_is_removed_a_day_later_and_not_at_once(folded: Path) -> None:
    before = seen(folded)
    land(folded, 5, 3)
    assert fold(folded, merged=2) == Folded(batches=4 + 8, folds=2)
    found = holding(folded)
    assert (len(found.folds), len(found.superseded)) == (1, 2)
    assert seen(folded)[0][:10] == before[0]
    assert fold(folded).removed == 0
    assert fold(folded, days=1).removed == 2
    assert holding(folded).superseded == ()
    assert len(list(folded.glob("folds/*/*/*"))) == 2


def test_a_merged_fold_that_is_void_gives_way_to_those_it_was_merged_from(folded: Path) -> None:
    land(folded, 5, 3)
    fold(folded, merged=2)
    gone(folder(folded))
    found = holding(folded)
    assert [sorted(fold.batch_ids) for fold in found.folds] == [["b004", "b005", "b006", "b007"]]
    assert len(found.void) == 2


def test_a_fold_that_does_not_say_what_it_said_is_found_when_it_is_merged(folded: Path) -> None:
    land(folded, 5, 3)
    before = seen(folded)
    liar = holding(folded).folds[0]
    other = folded / "other"
    land(other, 2, 4)
    fold(other)
    shutil.copy(holding(other).folds[0].path, liar.path)
    told = folds.fold_bytes(Fold(liar.path, liar.path.stat().st_size, liar.made_at, liar.members))
    liar.manifest_path.write_bytes(told)
    assert len(holding(folded).folds) == 1
    fold(folded, merged=2)
    assert holding(folded).folds == ()
    assert seen(folded) == before


def test_one_process_folds_at_a_time(folded: Path) -> None:
    script = (
        "import fcntl, sys; lock = open(sys.argv[1], 'ab'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print(flush=True); sys.stdin.read()"
    )
    lock = str(folded / "state" / "folding.lock")
    land(folded, 5, 1)
    with subprocess.Popen(
        [sys.executable, "-c", script, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert fold(folded) == Folded()
        other.communicate()
    assert fold(folded).folds == 1


# --- killed ---------------------------------------------------------------------------------------

KILLED = """
from datetime import timedelta
from ingest import folding, parquet
from tests.ingest.dying import die_at, serve_forks
from tests.ingest.test_folding import NOW

def work(home, fatal):
    die_at(fatal, (parquet, "join_parquet"), (parquet, "digests_of"))
    folding.fold_landing(home, now=NOW + timedelta(days=1), least=2, merged=2)

serve_forks(work)
"""


def test_a_fold_killed_at_any_step_changes_no_row(folded: Path, tmp_path: Path) -> None:
    """Superseded folds go, loose batches are folded, and two folds become one."""
    land(folded, 5, 3)
    fold(folded, merged=2)
    land(folded, 8, 8)
    before = seen(folded)
    outcomes = []
    with forked(KILLED) as fold_until:
        for fatal in range(1, 80):
            home = tmp_path / f"killed{fatal}"
            shutil.copytree(folded, home)
            ended = fold_until(home, fatal)
            assert ended in (0, -signal.SIGKILL)
            assert seen(home) == before
            assert [path for path in home.rglob("*") if path.name.endswith(".tmp")] == []
            loose = (p for p in home.glob("folds/*/*/*.parquet"))
            assert all(p.with_name(f"{p.stem}.fold.json").exists() for p in loose)
            # Whatever was left, the next runs end where unharmed ones end.
            fold(home, days=3, merged=2)
            fold(home, days=5, merged=2)
            found = holding(home)
            assert (found.loose, found.superseded, found.void) == ((), (), ())
            assert seen(home) == before
            outcomes.append(ended)
            if ended == 0:
                break
        else:
            pytest.fail("folding never came to its end")
    assert len(outcomes) >= 12
