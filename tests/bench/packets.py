"""Packets of many rows: build, verify, and the memory they take. `python -m tests.bench.packets`.

The largest is just under 1 GiB, which is all a packet may have.

Belongs here: timing `build_packet` and `verify_packet` over made-up movements. Does not belong
here: assertions, or reading a warehouse.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from evidence.build import PacketSpec, build_packet
from evidence.container import store_zip
from evidence.keys import KeySigner
from evidence.tables import Table
from evidence.trust import load_trust, trust_document, trusted_key
from evidence.verify import verify_packet

ROWS = (100_000, 500_000, 1_500_000)
OWNER = {"tenant_id": "tenant_bench", "period": "2026-10", "currency": "usd"}
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Movements:
    """Rows as wide as `money_movements` has them, made anew each time, in key order."""

    rows: int

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        for number in range(self.rows):
            yield OWNER | {
                "account_id": "acct_1BenchPlatform",
                "amount_cents": 10_000 + number % 977,
                "available_on": "2026-10-09T00:00:00Z",
                "counter_movement_id": None,
                "fee_cents": 59,
                "kernel_reference_type": "receipt",
                "leg": "platform",
                "movement_id": f"acct_1BenchPlatform:txn_{number:024d}",
                "movement_type": "collection",
                "net_cents": 9_941 + number % 977,
                "object_amount_cents": 10_000 + number % 977,
                "object_currency": "usd",
                "occurred_at": f"2026-10-{1 + number % 28:02d}T12:00:00Z",
                "outcome": "ok",
                "party_id": f"pty_{number % 500}",
                "provider_id": "stripe",
                "reason_code": None,
                "reporting_category": "charge",
                "scope": "kernel_required",
                "source_object_id": f"ch_{number:024d}",
            }


def spec_of(rows: int) -> PacketSpec:
    """A packet whose movements are most of it."""
    runs = [OWNER | {"verdict": "reconciled", "gross_cents": 9, "unexplained_cents": 0}]
    return PacketSpec(
        tenant_id="tenant_bench",
        period="2026-10",
        revision=1,
        verdict="reconciled",
        currencies=("usd",),
        tables={
            "exposure_rollforward": Table(("party_id",), []),
            "money_movements": Table(("movement_id",), Movements(rows)),
            "reconciliation_bridge": Table(
                ("line_code",), [OWNER | {"line_code": "residual", "amount_cents": 0}]
            ),
            "reconciliation_drift": Table(("break_id",), []),
            "reconciliation_runs": Table(("currency",), runs),
        },
        run={
            "as_of": NOW,
            "code_sha256": "c0" * 32,
            "engine": "duckdb 2.0.0",
            "inputs": {},
            "lock_sha256": "10" * 32,
            "rules": {},
        },
    )


def measure(rows: int) -> None:
    """Build a packet into a file and verify it from there; print one line of the table."""
    signer = KeySigner.from_seed(b"the signer of this benchmark....")
    key = trusted_key(signer, NOW - timedelta(days=1), NOW + timedelta(days=1))
    trust = load_trust(trust_document([key]))
    with TemporaryDirectory() as name:
        path, folder = Path(name, "packet.zip"), Path(name, "tables")
        folder.mkdir()
        started = time.perf_counter()
        built = build_packet(spec_of(rows), signer, folder=folder)
        store_zip(built.files, path)
        middle = time.perf_counter()
        built_mib = _peak_mib()
        verify_packet(path, trust, "tenant_bench", "2026-10")
        ended = time.perf_counter()
        size = path.stat().st_size / (1 << 20)
    timed = f"{middle - started:.2f} | {ended - middle:.2f}"
    print(f"| {rows:,} | {size:.1f} | {timed} | {built_mib} | {_peak_mib()} |", flush=True)


def main(sizes: tuple[int, ...] = ROWS) -> None:
    """Build and verify one packet a size, each in a process of its own; print a Markdown table."""
    print("| rows | MiB | build s | verify s | peak MiB, built | peak MiB, verified |")
    print("|---|---|---|---|---|---|", flush=True)
    for rows in sizes:
        # The peak of a process never falls, so sizes would hide one another in one process.
        child = get_context("spawn").Process(target=measure, args=(rows,))
        child.start()
        child.join()


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or ROWS)
