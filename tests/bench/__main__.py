"""Measure the main job's stages on this machine and print one line each.

Belongs here: timing whole stages on worlds of the simulator. Does not belong here: assertions, or a
stage's own correctness.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evidence.artifacts import KernelArtifacts
from ingest.landing import Landing
from ingest.limits import ReadLimits
from ingest.simulator.http import serve
from ingest.simulator.rail import Rail
from ingest.simulator.world import build_demo
from ingest.stripe.client import pull_stripe
from ingest.stripe.endpoints import STRIPE_TABLES
from tests.warehouse.conftest import build_world

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOPUPS = 20_000
RECEIPTS = 20_000
UNLIMITED = 1_000_000


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _pull(root: Path) -> tuple[int, float]:
    rail = Rail(clock=lambda: NOW, record_events=False)
    for number in range(TOPUPS):
        rail.top_up(100 + number, at=NOW - timedelta(minutes=TOPUPS - number))
    landing = Landing(root)
    landing.ensure_schema(STRIPE_TABLES)
    with serve(rail) as server:
        seconds = _timed(
            lambda: pull_stripe(
                home=root,
                api_key="sk_test_tieout",
                api_base=server.url,
                accounts=(),
                now=NOW,
                landing=landing,
                limits=ReadLimits(per_second=UNLIMITED, overall_per_second=UNLIMITED),
            )
        )
    return 2 * TOPUPS, seconds


def _hash() -> tuple[int, float]:
    world = build_demo(NOW)
    partner = world.partners["tenant_aurora"]
    receipts = partner.rows["settlement_receipts"]
    lines = [
        json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() for row in receipts
    ]
    verify = KernelArtifacts().verify
    work = [lines[number % len(lines)] for number in range(RECEIPTS)]
    return RECEIPTS, _timed(lambda: [verify("settlement_receipts", line) for line in work])


def _build(root: Path) -> tuple[int, float]:
    world = build_demo(NOW)
    movements = len(world.rail.objects("balance_transaction"))
    return movements, _timed(lambda: build_world(world, root, now=NOW).connection.close())


def _tell(work: str, unit: str, amount: int, seconds: float) -> None:
    print(f"| {work} | {amount} {unit} | {seconds:.2f} | {amount / seconds:,.0f} |", flush=True)


def main() -> None:
    """Run every benchmark once and print a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        stages = (
            (
                "Stripe lists to Parquet, top-ups and their balance transactions",
                "objects",
                _pull,
                "p",
            ),
            (
                "demo world pulled, verified and built (dbt with all tests)",
                "movements",
                _build,
                "b",
            ),
        )
        print("| work | amount | seconds | a second |\n|---|---|---|---|")
        amount, seconds = _hash()
        _tell("kernel receipts, strict parse and hash, one core", "receipts", amount, seconds)
        for name, unit, stage, place in stages:
            (root / place).mkdir(mode=0o700)
            amount, seconds = stage(root / place)
            _tell(name, unit, amount, seconds)


if __name__ == "__main__":
    main()
