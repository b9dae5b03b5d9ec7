"""The journal forgives a torn end and nothing else."""

from __future__ import annotations

import json
import logging
import stat
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import JournalError
from ingest.payouts import durable
from ingest.payouts.journal import LANDED_COLUMNS, journal_rows
from ingest.payouts.rail import RailTransfer, TransferIntent
from tests.payouts.desk import Desk, payout


@pytest.fixture
def written(desk: Desk) -> Desk:
    desk.pay(payout(source_ids=("receipt:r1",)), payout("pb"), payout("pc"))
    return desk


def journal_file(desk: Desk) -> Path:
    return desk.home / "journal" / "payouts.jsonl"


def lines(desk: Desk) -> list[bytes]:
    return journal_file(desk).read_bytes().splitlines(keepends=True)


def assert_fails_closed(desk: Desk) -> None:
    before = len(desk.rail.creations)
    with pytest.raises(JournalError):
        desk.pay(payout("pz"))
    with pytest.raises(JournalError):
        list(journal_rows(journal_file(desk)))
    assert len(desk.rail.creations) == before


def test_landing_rows_have_the_landed_columns(written: Desk) -> None:
    rows = list(journal_rows(journal_file(written)))
    assert len(rows) == 6
    assert all(tuple(row) == LANDED_COLUMNS for row in rows)
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(row["at"].tzinfo is UTC for row in rows)  # type: ignore[attr-defined]


def test_landing_rows_fit_the_declared_table() -> None:
    from ingest.tables import PAYOUT_JOURNAL

    assert sorted(LANDED_COLUMNS) == sorted(column.name for column in PAYOUT_JOURNAL.columns)


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert list(journal_rows(tmp_path / "journal" / "payouts.jsonl")) == []


def test_files_are_private(written: Desk) -> None:
    folder = written.home / "journal"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("keep", [1, 100, -1])
def test_a_torn_end_behind_the_head_counts_as_not_written(
    written: Desk, keep: int, caplog: pytest.LogCaptureFixture
) -> None:
    torn = lines(written)[-1].replace(b'"seq":6', b'"seq":7')[:keep]
    with journal_file(written).open("ab") as file:
        file.write(torn)
    assert len(list(journal_rows(journal_file(written)))) == 6
    with caplog.at_level(logging.WARNING):
        written.pay(payout("pd"))
    assert "cut off" in caplog.text
    rows = list(journal_rows(journal_file(written)))
    assert [row["state"] for row in rows[-2:]] == ["intent", "submitted"]
    repair = [json.loads(line) for line in lines(written) if b'"kind":"repair"' in line]
    assert [line["seq"] for line in repair] == [7]
    assert repair[0]["body"]["torn_bytes"] == len(torn) + 1


def test_a_whole_line_without_its_newline_counts_as_written(written: Desk) -> None:
    file = journal_file(written)
    file.write_bytes(file.read_bytes()[:-1])
    assert len(list(journal_rows(file))) == 6
    written.pay(payout("pd"))
    assert len(list(journal_rows(file))) == 8


def test_a_torn_end_the_head_had_named_is_damage(written: Desk) -> None:
    file = journal_file(written)
    file.write_bytes(file.read_bytes()[:-20])
    assert_fails_closed(written)


def test_lost_last_lines_are_damage(written: Desk) -> None:
    journal_file(written).write_bytes(b"".join(lines(written)[:-1]))
    assert_fails_closed(written)


def test_a_lost_file_is_damage(written: Desk) -> None:
    journal_file(written).unlink()
    assert_fails_closed(written)


def test_a_lost_head_is_damage(written: Desk) -> None:
    (written.home / "journal" / "payouts.head").unlink()
    assert_fails_closed(written)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"seq":"6","hash":"x"}', b"\xff"])
def test_an_unreadable_head_is_damage(written: Desk, content: bytes) -> None:
    (written.home / "journal" / "payouts.head").write_bytes(content)
    assert_fails_closed(written)


@pytest.mark.parametrize("index", range(6))
def test_a_changed_amount_anywhere_is_damage(written: Desk, index: int) -> None:
    changed = lines(written)
    changed[index] = changed[index].replace(b'"amount_cents":1000', b'"amount_cents":1001')
    journal_file(written).write_bytes(b"".join(changed))
    assert_fails_closed(written)


@pytest.mark.parametrize("index", range(6))
def test_one_flipped_bit_anywhere_is_damage(written: Desk, index: int) -> None:
    changed = lines(written)
    half = len(changed[index]) // 2
    flipped = bytearray(changed[index])
    flipped[half] ^= 1
    changed[index] = bytes(flipped)
    journal_file(written).write_bytes(b"".join(changed))
    assert_fails_closed(written)


@pytest.mark.parametrize("index", range(6))
def test_a_removed_repeated_or_moved_line_is_damage(written: Desk, index: int) -> None:
    original = lines(written)
    removed = original[:index] + original[index + 1 :]
    repeated = original[: index + 1] + original[index:]
    moved = [original[index], *removed] if index else [*removed, original[index]]
    for variant in (removed, repeated, moved):
        journal_file(written).write_bytes(b"".join(variant))
        assert_fails_closed(written)


def test_rubbish_before_intact_lines_is_damage(written: Desk) -> None:
    original = lines(written)
    journal_file(written).write_bytes(b"".join([*original[:3], b"rubbish\n", *original[3:]]))
    assert_fails_closed(written)


def test_a_chain_of_another_home_is_damage(written: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other")
    other.clock.advance(minutes=1)
    other.pay(payout("px"), payout("py"), payout("pw"))
    journal_file(written).write_bytes(journal_file(other).read_bytes())
    assert_fails_closed(written)


def test_a_linked_journal_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    (desk.home / "journal").mkdir(mode=0o700)
    journal_file(desk).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError):
        desk.pay(payout())
    assert desk.rail.creations == []


def test_a_full_disk_on_the_intent_makes_no_call(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(handle: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "_write_all", no_room)
        with pytest.raises(JournalError, match="could not be made durable"):
            desk.pay(payout())
    assert desk.rail.creations == []
    desk.settle(payout(), passes=2)
    desk.assert_paid_once(payout())


@pytest.mark.parametrize("step", ["_sync", "_sync_folder"])
def test_a_failed_sync_of_file_or_folder_makes_no_call(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    desk.pay(payout("pa"))

    def broken(_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(durable, step, broken)
        with pytest.raises(JournalError):
            desk.pay(payout("pb"))
    assert len(desk.rail.creations) == 1
    desk.settle(payout("pb"), passes=2)
    desk.assert_paid_once(payout("pa"), payout("pb"))


def test_a_disk_that_fills_on_the_outcome_loses_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all, room = durable._write_all, {"writes": 2}

    def filling(handle: int, data: bytes) -> None:
        room["writes"] -= 1
        if room["writes"] < 0:
            write_all(handle, data[:30])
            raise OSError(28, "No space left on device")
        write_all(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "_write_all", filling)
        with pytest.raises(JournalError):
            desk.pay(payout(), payout("pb"))
    assert len(desk.rail.creations) == 1
    desk.settle(payout(), payout("pb"), passes=2)
    desk.assert_paid_once(payout(), payout("pb"))


def test_what_moved_since_counts_open_and_paid_but_not_the_payout_being_judged(desk: Desk) -> None:
    since = desk.clock.now
    desk.rail.faults.extend(["cut_before", "rejected"])
    desk.pay(payout("pa", amount=1), payout("pb", amount=10), payout("pc", amount=100))
    desk.pay(payout("pd", amount=1000, currency="EUR"))
    journal = desk.journal()
    assert journal.moved_cents(currency="usd", since=since) == 101
    assert journal.moved_cents(currency="USD", since=since, tenant_id="t2") == 0
    key = payout("pa").payout_key
    assert journal.moved_cents(currency="USD", since=since, except_payout_key=key) == 100
    desk.clock.advance(hours=1)
    assert journal.moved_cents(currency="USD", since=desk.clock.now) == 0


def test_a_reader_sees_what_another_process_wrote_since(desk: Desk) -> None:
    reader = desk.journal()
    assert reader.state(payout().payout_key) is None
    desk.pay(payout())
    assert reader.state(payout().payout_key) == "submitted"


def test_file_and_folder_are_synced_between_the_intent_and_its_call(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []
    for name in ("_write_all", "_sync"):
        real = getattr(durable, name)

        def noted(handle: int, *rest: bytes, real: Any = real, name: str = name) -> None:
            real(handle, *rest)
            done.append((name, Path(f"/proc/self/fd/{handle}").readlink().name))

        monkeypatch.setattr(durable, name, noted)
    monkeypatch.setattr(durable, "_sync_folder", lambda path: done.append(("folder", path.name)))
    create = desk.rail.create_transfer

    def noted_call(intent: TransferIntent, key: str) -> RailTransfer:
        done.append(("call", "rail"))
        return create(intent, key)

    desk.rail.create_transfer = noted_call  # type: ignore[method-assign]
    desk.pay(payout())
    before_the_call = done[: done.index(("call", "rail"))]
    # The new folder itself comes first.
    assert before_the_call == [
        ("folder", "home"),
        ("_write_all", "payouts.jsonl"),
        ("_sync", "payouts.jsonl"),
        ("folder", "journal"),
        ("_write_all", "payouts.head.tmp"),
        ("_sync", "payouts.head.tmp"),
        ("folder", "journal"),
    ]
