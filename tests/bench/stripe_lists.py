"""How many balance transactions a second one process lists and lands, and in how much memory.

Belongs here: the timing, over loopback and with a page latency. Does not belong here: whether what
landed is right (tests/ingest). The server is a process of its own (`page_server`), which makes its
pages from a template and is far from busy; each pull is a process of its own too, so that its peak
memory is its own. Run it as `python -m tests.bench stripe_lists`, or with a number of objects:
`python -m tests.bench.stripe_lists 1000000`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ingest.landing import Landing
from ingest.limits import ReadLimits
from ingest.stripe.client import pull_stripe
from ingest.stripe.kept import BALANCE_TRANSACTIONS
from tests.bench.page_server import page_server

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def pull(root: Path, url: str, workers: int) -> dict[str, float]:
    """Pulls everything into an empty home: rows, seconds, peak memory in MB."""
    landing = Landing(root)
    started = time.perf_counter()
    pull_stripe(
        home=root,
        api_key="sk_test_tieout",
        api_base=url,
        accounts=(),
        now=NOW,
        landing=landing,
        limits=ReadLimits(per_second=1e6, overall_per_second=1e6, slices=workers),
    )
    seconds = time.perf_counter() - started
    rows = sum(m.rows for m in landing.committed("stripe") if m.table == BALANCE_TRANSACTIONS.table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "seconds": seconds, "peak_mb": peak}


def measure(objects: int, *, delay_seconds: float, workers: int) -> dict[str, float]:
    """One pull in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        with page_server(objects, delay_seconds=delay_seconds) as url:
            command = [sys.executable, "-m", "tests.bench.stripe_lists", folder, url, str(workers)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found


def main(objects: int = 200_000) -> None:
    """Both measurements as lines of a Markdown table."""
    for delay_seconds, workers in ((0.0, 4), (0.15, 16)):
        found = measure(objects, delay_seconds=delay_seconds, workers=workers)
        latency = f"{delay_seconds * 1000:.0f} ms a page, {workers} slices"
        print(
            f"| balance transactions listed and landed, {latency} | {found['rows']:,.0f} rows, "
            f"peak {found['peak_mb']:.0f} MB | {found['seconds']:.2f} | "
            f"{found['rows'] / found['seconds']:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(pull(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
    else:
        main(*map(int, sys.argv[1:2]))
