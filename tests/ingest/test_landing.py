"""What a landed batch is: typed, digested, written once, unchanged by reading the same again."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.errors import LandingError
from ingest.landing import (
    BIGINT,
    BOOLEAN,
    PINNED_BATCHES,
    QUARANTINE,
    TIEOUT_TABLES,
    TIMESTAMP,
    VARCHAR,
    Column,
    Landing,
    Quarantined,
    TableSpec,
    new_batch_id,
)
from ingest.tables import columns

NOW = datetime(2026, 4, 1, 12, 0, 0, tzinfo=UTC)
PAYMENTS = TableSpec(
    "rail",
    "payments",
    columns(id=VARCHAR, amount=BIGINT, paid=BOOLEAN, created=TIMESTAMP, note=VARCHAR),
    key=("id",),
)


def row(number: int, **over: Any) -> dict[str, Any]:
    values = {"id": f"p{number}", "amount": number, "paid": None, "created": NOW, "note": "a"}
    return values | over


def read(home: Path, spec: TableSpec, names: str = "*") -> list[tuple[Any, ...]]:
    """All rows on disk, found as a stranger would: every Parquet file of the table's folder."""
    folder = home / "landing" / spec.source / spec.table
    found: list[tuple[Any, ...]] = []
    for path in sorted(folder.glob("*.parquet")):
        with duckdb.connect() as db:
            found += db.from_parquet(str(path).replace("[", "[[]")).project(names).fetchall()
    return found


@pytest.fixture
def landing(home: Path) -> Landing:
    return Landing(home)


def land(landing: Landing, rows: list[dict[str, Any]], minute: int, **over: Any) -> Any:
    at = NOW + timedelta(minutes=minute)
    return landing.write(
        PAYMENTS, rows, batch_id=new_batch_id(at, f"pull{minute}"), received_at=at, **over
    )


# --- types and values -----------------------------------------------------------------------------


def test_only_four_types_reach_parquet(landing: Landing, home: Path) -> None:
    land(landing, [row(1, amount=2**63 - 1, paid=True, note="é\n\"'\x00")], 0)
    folder = home / "landing" / "rail" / "payments"
    for path in folder.glob("*.parquet"):
        with duckdb.connect() as db:
            relation = db.from_parquet(str(path).replace("[", "[[]"))
            types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        assert types == {
            "id": "VARCHAR",
            "amount": "BIGINT",
            "paid": "BOOLEAN",
            "created": "TIMESTAMP",
            "note": "VARCHAR",
            "batch_id": "VARCHAR",
            "row_no": "BIGINT",
            "received_at": "TIMESTAMP",
        }
    assert read(home, PAYMENTS, "amount, paid, note") == [(2**63 - 1, True, "é\n\"'\x00")]
    with pytest.raises(LandingError, match="DOUBLE"):
        Column("rate", "DOUBLE")


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"amount": 1.0}, "landing_value_type"),
        ({"amount": True}, "landing_value_type"),
        ({"amount": 2**63}, "landing_value_range"),
        ({"amount": "1"}, "landing_value_type"),
        ({"paid": 1}, "landing_value_type"),
        ({"created": datetime(2026, 1, 1)}, "landing_value_type"),
        ({"created": "2026-01-01"}, "landing_value_type"),
        ({"note": b"bytes"}, "landing_value_type"),
        ({"note": "\ud800 secret-text"}, "landing_value_text"),
        ({"email": "secret-text"}, "landing_column_unknown"),
    ],
)
def test_a_value_that_does_not_fit_refuses_the_batch_and_is_not_repeated(
    landing: Landing, home: Path, over: dict[str, Any], code: str
) -> None:
    with pytest.raises(LandingError) as refusal:
        land(landing, [row(1), row(2, **over)], 0)
    assert refusal.value.code == code
    assert "secret-text" not in str(refusal.value)
    assert landing.committed() == []
    assert read(home, PAYMENTS) == []
    assert not list(home.rglob("*.tmp"))


def test_times_land_in_utc_whatever_zone_they_came_in_and_the_machine_is_in(home: Path) -> None:
    script = (
        "import sys; from datetime import *; from pathlib import Path\n"
        "from ingest.landing import *\n"
        "spec = TableSpec('rail', 'times', (Column('at', TIMESTAMP),), ('at',))\n"
        "at = datetime(2026, 1, 1, 2, 0, 0, 7, tzinfo=timezone(timedelta(hours=2)))\n"
        "landing = Landing(Path(sys.argv[1]))\n"
        "landing.write(spec, [{'at': at}], batch_id='b', received_at=at)\n"
        "print(landing.rows(spec, ['at', 'received_at']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home)],
        env=os.environ | {"TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = datetime(2026, 1, 1, 0, 0, 0, 7, tzinfo=UTC)
    assert done.stdout.strip() == repr([(expected, expected)])


# --- digest ---------------------------------------------------------------------------------------


def test_the_manifest_hashes_canonical_ndjson_of_the_rows(landing: Landing) -> None:
    zone = timezone(timedelta(hours=1))
    manifest = land(
        landing,
        [row(1, paid=True, note="é"), row(2, note=None, created=NOW.astimezone(zone))],
        0,
        request={"path": "/v1/payments"},
    )
    expected = (
        '{"amount":1,"created":"2026-04-01T12:00:00Z","id":"p1","note":"é","paid":true}\n'
        '{"amount":2,"created":"2026-04-01T12:00:00Z","id":"p2","note":null,"paid":null}\n'
    )
    assert manifest.ndjson_sha256 == hashlib.sha256(expected.encode()).hexdigest()
    assert (manifest.rows, manifest.unchanged, manifest.quarantined) == (2, 0, 0)
    assert landing.committed() == [manifest]
    landing.verify(manifest)


def test_rows_edited_on_disk_do_not_verify_and_cannot_be_pinned(
    landing: Landing, home: Path
) -> None:
    manifest = land(landing, [row(1)], 0)
    path = home / "landing" / "rail" / "payments" / f"{manifest.batch_id}.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    with pytest.raises(LandingError, match="digest"):
        landing.verify(manifest)
    path.write_bytes(content[:-1])
    with pytest.raises(LandingError, match="landing_damaged"):
        landing.pin(run_id="r", known_at=NOW)
    path.unlink()
    with pytest.raises(LandingError, match="no file"):
        landing.pin(run_id="r", known_at=NOW)


def test_a_manifest_that_is_not_one_is_named(landing: Landing, home: Path) -> None:
    land(landing, [row(1)], 0)
    path = next((home / "landing" / "rail" / "payments").glob("*.manifest.json"))
    path.write_text('{"rows": 1')
    with pytest.raises(LandingError, match=r"rail/payments/.*manifest\.json"):
        landing.committed()


# --- the same again -------------------------------------------------------------------------------


def test_the_same_rows_again_land_nothing(landing: Landing, home: Path) -> None:
    assert land(landing, [row(1), row(2)], 0).rows == 2
    before = sorted(path for path in home.rglob("*") if path.is_file())
    assert land(landing, [row(1), row(2)], 1) is None
    assert sorted(path for path in home.rglob("*") if path.is_file()) == before


def test_only_what_changed_lands_and_the_rest_is_counted(landing: Landing, home: Path) -> None:
    land(landing, [row(1), row(2), row(3, note=None)], 0)
    manifest = land(landing, [row(1), row(2, amount=9), row(3, note=None), row(4)], 1)
    assert (manifest.rows, manifest.unchanged) == (2, 2)
    assert read(home, PAYMENTS, "id, amount, row_no")[-2:] == [("p2", 9, 1), ("p4", 4, 2)]
    landing.verify(manifest)


def test_a_value_that_returns_to_an_earlier_one_is_a_change(landing: Landing) -> None:
    land(landing, [row(1, amount=1)], 0)
    land(landing, [row(1, amount=2)], 1)
    assert land(landing, [row(1, amount=1)], 2).rows == 1


def test_repeats_within_a_batch_land_once_but_changes_within_it_all_land(
    landing: Landing, home: Path
) -> None:
    land(landing, [row(1, amount=1)], 0)
    manifest = land(landing, [row(1, amount=n) for n in (1, 1, 2, 2, 1)], 1)
    assert (manifest.rows, manifest.unchanged) == (2, 3)
    assert read(home, PAYMENTS, "amount")[1:] == [(2,), (1,)]


def test_null_is_a_value_of_a_key_like_any_other(landing: Landing) -> None:
    assert land(landing, [row(1, id=None)], 0).rows == 1
    assert land(landing, [row(1, id=None)], 1) is None


def test_a_row_that_differs_only_in_when_it_was_seen_is_unchanged(landing: Landing) -> None:
    spec = TableSpec("rail", "seen", columns(id=VARCHAR, at=TIMESTAMP), key=("id",), seen=("at",))
    rows = [{"id": "a", "at": NOW}]
    assert landing.write(spec, rows, batch_id="one", received_at=NOW)
    rows = [{"id": "a", "at": NOW + timedelta(hours=1)}]
    assert landing.write(spec, rows, batch_id="two", received_at=NOW) is None


def test_append_only_tables_land_every_row(landing: Landing) -> None:
    spec = TableSpec("rail", "log", columns(id=VARCHAR), key=("id",), append_only=True)
    for batch_id in ("one", "two"):
        manifest = landing.write(spec, [{"id": "a"}], batch_id=batch_id, received_at=NOW)
        assert manifest is not None
        assert manifest.rows == 1


def test_a_new_column_makes_old_rows_news_and_old_files_stay_readable(landing: Landing) -> None:
    land(landing, [row(1), row(2)], 0)
    wider = TableSpec("rail", "payments", (*PAYMENTS.columns, Column("fee", BIGINT)), PAYMENTS.key)
    at = NOW + timedelta(minutes=1)
    manifest = landing.write(
        wider, [row(1, fee=5), row(2)], batch_id=new_batch_id(at, "p"), received_at=at
    )
    assert manifest is not None
    assert (manifest.rows, manifest.unchanged) == (1, 1)
    assert landing.rows(wider, ["id", "fee"]) == [("p1", None), ("p2", None), ("p1", 5)]


# --- once -----------------------------------------------------------------------------------------


def test_a_batch_is_written_once(landing: Landing) -> None:
    land(landing, [row(1)], 0)
    with pytest.raises(LandingError, match="landing_batch_exists"):
        land(landing, [row(2)], 0)


@pytest.mark.parametrize("batch_id", ["../x", "", "a/b", ".hidden", "schema", "a b", "x" * 300])
def test_a_batch_id_is_a_plain_name(landing: Landing, batch_id: str) -> None:
    with pytest.raises(LandingError, match="landing_batch_id_invalid"):
        landing.write(PAYMENTS, [row(1)], batch_id=batch_id, received_at=NOW)


def test_batch_ids_sort_by_time() -> None:
    early, late = NOW, NOW + timedelta(seconds=1)
    assert new_batch_id(early, "zz") < new_batch_id(late, "aa")
    assert new_batch_id(datetime(2026, 11, 22, 23, 24, 58, tzinfo=UTC), "x1") == (
        "20261122T232458Z-x1"
    )


# --- schema, pins, quarantine ---------------------------------------------------------------------


def test_every_table_has_columns_before_it_has_rows(landing: Landing, home: Path) -> None:
    landing.ensure_schema(TIEOUT_TABLES)
    for spec in TIEOUT_TABLES:
        assert read(home, spec) == []
        assert landing.rows(spec, [column.name for column in spec.columns]) == []


def test_pin_cuts_by_known_at_and_keeps_what_a_run_first_saw(landing: Landing, home: Path) -> None:
    early, late = (land(landing, [row(n)], n) for n in (1, 2))
    known_at = NOW + timedelta(minutes=1)
    assert landing.pin(run_id="run1", known_at=known_at) == 1
    names = "run_id, source, table_name, batch_id"
    first = ("run1", "rail", "payments", early.batch_id)
    assert read(home, PINNED_BATCHES, names) == [first]
    # A batch that arrives late but carries an earlier time does not slip into the run's list.
    landing.write(PAYMENTS, [row(7)], batch_id="late", received_at=NOW)
    assert landing.pin(run_id="run1", known_at=known_at) == 1
    assert read(home, PINNED_BATCHES, names) == [first]
    assert landing.pin(run_id="run2", known_at=NOW + timedelta(minutes=2)) == 3
    assert {r[3] for r in read(home, PINNED_BATCHES, names) if r[0] == "run2"} == {
        "late",
        early.batch_id,
        late.batch_id,
    }


def test_the_newest_pins_stay_and_a_run_that_looks_back_keeps_its_own(
    landing: Landing, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.landing.KEPT_PINS", 2)
    early = land(landing, [row(1)], 0)
    for minute in range(1, 5):
        landing.pin(run_id=f"run{minute}", known_at=NOW + timedelta(minutes=minute))
    landing.pin(run_id="looks-back", known_at=NOW)
    names = "run_id, batch_id"
    pinned = [("looks-back", early.batch_id), ("run4", early.batch_id)]
    assert sorted(read(home, PINNED_BATCHES, names)) == pinned
    assert {m.batch_id for m in landing.committed("tieout")} == {
        path.stem for path in home.glob("landing/tieout/pinned_batches/*-pin-*.parquet")
    }
    # A run whose pin is gone pins the same again.
    assert landing.pin(run_id="run1", known_at=NOW + timedelta(minutes=1)) == 1


def test_refused_input_lands_as_reasons_beside_the_rows(landing: Landing, home: Path) -> None:
    refused: list[Quarantined] = []

    def rows() -> Any:
        yield row(1)
        refused.append(
            Quarantined("t1/receipts.jsonl", 7, "torn_line", "ends early", None, "Send it again")
        )

    manifest = land(landing, rows(), 0, quarantined=refused)
    assert (manifest.rows, manifest.quarantined) == (1, 1)
    names = "source, table_name, source_file, line, code, remedy"
    assert read(home, QUARANTINE, names) == [
        ("rail", "payments", "t1/receipts.jsonl", 7, "torn_line", "Send it again")
    ]
    file = home / "quarantine" / "rail" / "payments" / f"{manifest.batch_id}.jsonl"
    assert '"line":7' in file.read_text()
    own = [m.batch_id for m in landing.committed("tieout")]
    assert [r[0] for r in read(home, QUARANTINE, "batch_id")] == own


def test_refusals_alone_make_a_batch(landing: Landing) -> None:
    refused = [Quarantined("f", 1, "torn_line", "ends early", None, "Send it again")]
    manifest = land(landing, [], 0, quarantined=refused)
    assert (manifest.rows, manifest.quarantined) == (0, 1)


def test_only_the_owner_may_enter_the_home(home: Path) -> None:
    home.mkdir(mode=0o755)
    Landing(home).write(PAYMENTS, [row(1)], batch_id="b", received_at=NOW)
    for folder in (home, home / "landing", home / "landing" / "rail" / "payments"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


# --- what counts as the same ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"note": None}, {"note": "null"}),
        ({"note": None}, {"note": ""}),
        ({"note": "a"}, {"note": "a\x00"}),
        ({"note": '","'}, {"note": '", "'}),
        ({"paid": None}, {"paid": False}),
        ({"created": NOW}, {"created": NOW + timedelta(microseconds=1)}),
        ({"amount": 1, "note": "2"}, {"amount": 12, "note": ""}),
    ],
)
def test_rows_that_look_alike_are_not_the_same(
    landing: Landing, before: dict[str, Any], after: dict[str, Any]
) -> None:
    land(landing, [row(1, **before)], 0)
    assert land(landing, [row(1, **before)], 1) is None
    changed = land(landing, [row(1, **after)], 2)
    assert (changed.rows, changed.unchanged) == (1, 0)


LANDS_TWICE = """
import resource, sys
from datetime import timedelta
from pathlib import Path
from ingest.landing import Landing
from tests.ingest.test_landing import land, row

landing, count = Landing(Path(sys.argv[1])), int(sys.argv[2])
for minute in (0, 1):
    rows = (row(n, note=f"{n:09d}" * 200) for n in range(count))
    land(landing, rows, minute)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows_of_a_batch(tmp_path: Path) -> None:
    """Four times the rows, 300 MB more of them, landed and then found unchanged."""
    peaks = []
    for count in (60_000, 240_000):
        command = [sys.executable, "-c", LANDS_TWICE, str(tmp_path / str(count)), str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < min(600, peaks[0] + 250), peaks
