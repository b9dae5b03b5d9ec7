"""Files that are packed, cut off, old, or reach into the future."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.kernel import reading
from tests.kernel.conftest import NOW, Kernel, Warehouse, text_of

Make = Callable[..., dict[str, Any]]


def status_of(warehouse: Warehouse) -> tuple[str, str | None]:
    row = warehouse.rows("export_manifests")[-1]
    return row["manifest_status"], row["manifest_code"]


def declared(path: Path, rows: int, **over: Any) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"name": path.name, "sha256": digest, "rows": rows, **over}


# --- packed files ---------------------------------------------------------------------------------


def pack(kernel: Kernel, data: bytes) -> Path:
    path = kernel.root / "t_acme" / "settlement_receipts.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_packed_file_lands_and_its_digest_is_of_the_packed_bytes(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    lines = [text_of(receipt(n)).encode() + b"\n" for n in (1, 2, 3)]
    # Two members, as when a packed file is appended to.
    path = pack(kernel, gzip.compress(lines[0] + lines[1]) + gzip.compress(lines[2]))
    kernel.sign(files=[declared(path, 3)])
    assert warehouse.land().complete
    assert [row["receipt_id"] for row in warehouse.rows("settlement_receipts")] == [
        "rcpt_1",
        "rcpt_2",
        "rcpt_3",
    ]


@pytest.mark.parametrize("members", [1, 300])
def test_a_gzip_bomb_is_left_before_it_goes_off(
    kernel: Kernel, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, members: int
) -> None:
    monkeypatch.setattr(reading, "_UNPACK_ALLOWANCE_BYTES", 1 << 20)
    pack(kernel, gzip.compress(b"\n" * ((300 << 20) // members)) * members)
    unpacked = 0
    whole = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._real = whole(wbits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            nonlocal unpacked
            found = self._real.decompress(data, limit)
            assert len(found) <= limit <= 1 << 20
            unpacked += len(found)
            return found

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    monkeypatch.setattr(reading.zlib, "decompressobj", Counting)
    pull = warehouse.land()
    assert not pull.complete
    assert unpacked < 100 << 20, "most of it was never unpacked"
    (entry,) = warehouse.quarantine()
    assert (entry["code"], entry["source_file"]) == (
        "file_bomb",
        "t_acme/settlement_receipts.jsonl.gz",
    )
    (coverage,) = warehouse.rows("coverage", source="tieout")
    assert (coverage["status"], coverage["error_code"]) == ("failed", "file_bomb")


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-20], lambda data: b"no gzip", lambda data: data + b"tail"]
)
def test_a_packed_file_that_does_not_unpack_to_its_end_fails(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, spoil: Callable[[bytes], bytes]
) -> None:
    packed = gzip.compress(b"".join(text_of(receipt(n)).encode() + b"\n" for n in range(50)))
    pack(kernel, spoil(packed))
    warehouse.land()
    assert "file_gzip_invalid" in {entry["code"] for entry in warehouse.quarantine()}
    (coverage,) = warehouse.rows("coverage", source="tieout")
    assert coverage["status"] == "failed"


# --- the kernel's silent cap ----------------------------------------------------------------------


def records(receipt: Make, decision: Make, number: int) -> list[dict[str, Any]]:
    return [
        {
            "tenantId": "t_acme",
            "receiptId": f"rcpt_{n}",
            "runId": f"run_{n}",
            "decisionRecord": decision(n),
            "settlementReceipt": receipt(n),
        }
        for n in range(number)
    ]


@pytest.mark.parametrize(
    ("rows", "complete", "expected"),
    [
        (999, None, "complete"),
        (1000, None, "partial"),
        (1000, False, "partial"),
        (1000, True, "complete"),
        (1001, None, "complete"),
        (2000, None, "partial"),
    ],
)
def test_a_full_page_without_an_end_marker_is_incomplete(
    kernel: Kernel,
    warehouse: Warehouse,
    receipt: Make,
    decision: Make,
    rows: int,
    complete: bool | None,
    expected: str,
) -> None:
    path = kernel.write("x402_receipts", records(receipt, decision, rows))
    marker = {} if complete is None else {"complete": complete}
    kernel.sign(files=[declared(path, rows, **marker)])
    pull = warehouse.land()
    (coverage,) = warehouse.rows("coverage", source="tieout")
    capped = expected == "partial"
    assert coverage["status"] == expected
    assert coverage["error_code"] == ("list_capped" if capped else None)
    assert coverage["rows_landed"] == rows, "what was read lands all the same"
    assert status_of(warehouse) == ("trusted", None), "the bytes are those that were signed"
    assert pull.complete is not capped
    codes = [entry["code"] for entry in warehouse.quarantine()]
    assert codes == (["file_capped"] if capped else [])


def test_a_marker_that_nobody_trusted_signed_is_none(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, decision: Make
) -> None:
    path = kernel.write("x402_receipts", records(receipt, decision, 1000))
    kernel.sign(files=[declared(path, 1000, complete=True)], signers=[kernel.stranger])
    warehouse.land()
    (coverage,) = warehouse.rows("coverage", source="tieout")
    assert coverage["status"] == "partial"


def test_other_types_have_no_cap(kernel: Kernel, warehouse: Warehouse, receipt: Make) -> None:
    kernel.write("settlement_receipts", [receipt(n) for n in range(1000)])
    kernel.sign()
    assert warehouse.land().complete


# --- how far an export reaches --------------------------------------------------------------------


def test_an_export_that_does_not_say_how_far_it_reaches_is_not_trusted(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [receipt(1)])
    kernel.sign(exportedThrough=None)
    warehouse.land()
    assert status_of(warehouse) == ("mismatch", "manifest_malformed")


@pytest.mark.parametrize(("minutes", "status"), [(4, "trusted"), (60, "mismatch")])
def test_an_export_that_reaches_into_the_future_is_not_trusted(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, minutes: int, status: str
) -> None:
    through = NOW + timedelta(minutes=minutes)
    kernel.write("settlement_receipts", [receipt(1)])
    kernel.sign(exportedThrough=through.isoformat().replace("+00:00", "Z"))
    warehouse.land()
    code = "manifest_from_the_future" if status == "mismatch" else None
    assert status_of(warehouse) == (status, code)


def test_an_old_export_played_again_is_not_trusted(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    """Its signature is true, and it hides everything since."""
    kernel.write("settlement_receipts", [receipt(1)])
    kernel.sign()
    warehouse.land()
    kernel.sign(exportedThrough="2026-11-22T00:00:00.000Z")
    warehouse.land()
    assert status_of(warehouse) == ("mismatch", "manifest_rolled_back")
    kernel.sign()
    warehouse.land()
    assert status_of(warehouse) == ("trusted", None)


def test_a_strangers_claim_does_not_make_later_exports_old(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [receipt(1)])
    kernel.sign(exportedThrough="2026-11-23T12:01:00.000Z", signers=[kernel.stranger])
    warehouse.land()
    kernel.sign()
    warehouse.land()
    assert status_of(warehouse) == ("trusted", None)
