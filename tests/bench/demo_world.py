"""The demo world pulled over HTTP, verified and built.

Belongs here: one line. Does not belong here: a world of any size (`reconciliation`).
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ingest.simulator.world import build_demo
from tests.warehouse.conftest import build_world

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def main() -> None:
    """Pulls and builds once, dbt with all its tests, and prints one line."""
    world = build_demo(NOW)
    movements = len(world.rail.objects("balance_transaction"))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        build_world(world, Path(folder), now=NOW).connection.close()
        seconds = time.perf_counter() - started
    print(f"{movements:,} movements in {seconds:.2f} s")


if __name__ == "__main__":
    main()
