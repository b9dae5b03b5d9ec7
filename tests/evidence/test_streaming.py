"""Packets larger than memory: bytes as ever, memory that does not grow, and a file that changes."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from evidence import build, canonical, container, content, sorting
from evidence.build import build_packet
from evidence.errors import Refusal
from evidence.tables import Table, write_lines, write_table
from evidence.verify import verify_packet

# Digests of packets as the emitter that held everything in memory wrote them.
HONEST_ZIP = "be287ac987dec80c5d339a455eff1a34718c8de51371f84ced0ef264777fbe8e"
HONEST_PACKET = "47ed717df6049b97ea9bd4db4fa77cdef2d6cca177a6463ae6db2edcfc24cf4b"
LOGGED_ZIP = "2947e76226f7c92ffe796da6805ebab1d5c3842bd72f3ddb294ce9fa791de837"


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches and pieces far below the size of the tables, so that few rows show what many do."""
    monkeypatch.setattr(content, "PIECE_BYTES", 1 << 12)
    monkeypatch.setattr(sorting, "BATCH_BYTES", 1 << 15)


def movements(count: int) -> Table:
    rows = [
        {"tenant_id": "t1", "movement_id": f"txn_{n:09d}", "amount_cents": n, "note": "x" * 200}
        for n in range(count)
    ]
    return Table(("movement_id",), rows)


def shuffled(table: Table, seed: int = 1) -> Table:
    rows = list(table.rows)
    random.Random(seed).shuffle(rows)
    return Table(table.key, rows)


def spec_with(forge, packet_tables, table: Table):
    return forge.spec(tables=packet_tables() | {"money_movements": table})


def test_a_packet_has_the_bytes_it_always_had(forge) -> None:
    assert canonical.sha256_hex(forge.honest().zip_bytes) == HONEST_ZIP
    assert forge.honest().packet_sha256 == HONEST_PACKET
    assert canonical.sha256_hex(forge.pack(forge.logged())) == LOGGED_ZIP


def test_streamed_and_held_packets_are_the_same_bytes(
    forge, packet_tables, small_pieces, tmp_path
) -> None:
    table = movements(2_000)
    held = build_packet(spec_with(forge, packet_tables, table), forge.signer)
    for number, rows in enumerate((table, shuffled(table), shuffled(table, 2))):
        folder = tmp_path / f"tables{number}"
        folder.mkdir()
        spec = spec_with(forge, packet_tables, rows)
        streamed = build_packet(spec, forge.signer, folder=folder)
        container.store_zip(streamed.files, tmp_path / "packet.zip")
        assert (tmp_path / "packet.zip").read_bytes() == held.zip_bytes
        assert isinstance(streamed.files["tables/money_movements.ndjson"], content.Stored)
    assert forge.verify(tmp_path / "packet.zip").rows == forge.verify(held.zip_bytes).rows
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("order", ["ascending", "any"])
def test_memory_does_not_grow_with_the_rows(
    forge, packet_tables, small_pieces, tmp_path, order
) -> None:
    peaks = {}
    for count in (1_000, 4_000):
        # The rows themselves are made before the peak is taken; a warehouse hands them out one by
        # one.
        table = movements(count) if order == "ascending" else shuffled(movements(count))
        spec = spec_with(forge, packet_tables, table)
        folder, path = tmp_path / f"{count}", tmp_path / f"{count}.zip"
        folder.mkdir()
        tracemalloc.start()
        container.store_zip(build_packet(spec, forge.signer, folder=folder).files, path)
        built = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        verify_packet(path, forge.trust(), "t1", "2026-10")
        peaks[count] = (built, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert path.stat().st_size > 250 * count
    for small, large in zip(*peaks.values(), strict=True):
        # Three times the rows more are 750 kB; caches that fill by the way are far less.
        assert large < 1.3 * small + 100_000, peaks


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1_000])
def test_any_number_of_rows_in_any_order_is_sorted(monkeypatch, size) -> None:
    monkeypatch.setattr(sorting, "BATCH_ROWS", 100)
    rows = [{"id": f"{n:04d}", "n": -n} for n in range(size)]
    expected = b"".join(b'{"id":"%04d","n":%d}\n' % (n, -n) for n in range(size))
    for table in (Table(("id",), rows), shuffled(Table(("id",), rows))):
        assert b"".join(write_table("x", table, 1 << 20)) == expected
    twice = list(write_lines("x", ("id", "n"), [*reversed(rows), *rows], 1 << 20))
    assert b"".join(twice[::2]) == b"".join(twice[1::2]) == expected


def test_input_lines_beyond_their_bytes_are_refused(refused) -> None:
    rows = [{"id": n} for n in range(10)]
    lines = b"".join(write_lines("x", ("id",), rows, 1 << 20))
    assert b"".join(write_lines("x", ("id",), rows, len(lines))) == lines
    short = write_lines("x", ("id",), rows, len(lines) - 1)
    assert refused(lambda: list(short)) == "packet_too_big"


@pytest.mark.parametrize("places", [(0, 1), (0, 999), (99, 100), (100, 850)])
def test_two_rows_of_one_key_are_found_wherever_they_arrive(monkeypatch, refused, places) -> None:
    monkeypatch.setattr(sorting, "BATCH_ROWS", 100)
    first, second = places
    for shuffle in (False, True):
        rows = [{"id": n} for n in range(1_000)]
        if shuffle:
            random.Random(3).shuffle(rows)
        rows[second] = rows[first] | {}
        table = Table(("id",), rows)
        assert refused(lambda table=table: list(write_table("x", table, 1 << 20))) == (
            "duplicate_row_key"
        )


def test_a_file_that_changes_while_it_is_verified_is_refused(
    forge, packet_tables, monkeypatch, tmp_path
) -> None:
    path = tmp_path / "packet.zip"
    built = build_packet(spec_with(forge, packet_tables, movements(2_000)), forge.signer)
    data = built.zip_bytes
    path.write_bytes(data)

    def swap(*_: object) -> None:
        """Between authentication and the reading of the rows."""
        with path.open("r+b") as file:
            file.seek(data.index(b'"amount_cents":1234,'))
            file.write(b'"amount_cents":4321,')

    from evidence import verify

    monkeypatch.setattr(verify._Verification, "_plan", swap)
    assert forge.refusal(path) in {"packet_changed", "table_digest"}


def test_a_file_cut_short_while_it_is_verified_is_refused(tmp_path) -> None:
    path = tmp_path / "part"
    stored = content.store(path, [b"x" * 1000])
    assert b"".join(stored.pieces()) == b"x" * 1000
    path.write_bytes(b"x" * 999)
    with pytest.raises(Refusal) as caught:
        b"".join(stored.pieces())
    assert caught.value.code == "packet_changed"
    path.unlink()
    with pytest.raises(Refusal) as caught:
        b"".join(stored.pieces())
    assert caught.value.code == "unreadable"


def test_a_large_document_is_refused_before_it_is_read(forge, monkeypatch) -> None:
    files = forge.files() | {build.STATEMENT_FILE: b" " * (1 << 21)}

    def never(self: content.Stored) -> object:
        raise AssertionError("it was read")

    with container.opened(forge.pack(files)) as members:
        stored = members[build.STATEMENT_FILE]
        monkeypatch.setattr(content.Stored, "pieces", never)
        with pytest.raises(Refusal) as caught:
            content.whole(stored, 1 << 20)
    assert caught.value.code == "json_too_big"


def test_a_line_without_end_is_not_gathered(refused) -> None:
    endless = b"x" * (3 << 20)
    assert refused(lambda: list(content.lines("x", endless))) == "json_too_big"
    assert refused(lambda: list(content.lines("x", b"a\nb"))) == "table_newline"
    assert list(content.lines("x", b"a\n\nb\n")) == [b"a", b"", b"b"]
    assert list(content.lines("x", b"")) == []


def test_a_central_directory_without_end_is_not_read(refused) -> None:
    # Genuine entries, each with a comment of 64 KiB: over a MiB before one comment is looked at.
    def commented(members: int) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(members):
                info = zipfile.ZipInfo(f"a{number}")
                info.comment = b"x" * 0xFFFF
                archive.writestr(info, b"")
        return buffer.getvalue()

    assert refused(lambda: container.read_zip(commented(2))) == "zip_not_canonical"
    assert refused(lambda: container.read_zip(commented(20))) == "zip_format"


def test_a_stopped_writer_leaves_no_packet(tmp_path: Path) -> None:
    def broken():
        yield b"half"
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        content.put_down(tmp_path / "packet.zip", broken())
    assert not (tmp_path / "packet.zip").exists()
