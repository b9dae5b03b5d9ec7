"""Measure the stages of the main job on this machine; prints what each finds, asserts nothing.

Belongs here: the list of benchmarks. Does not belong here: how one measures (its module), or the
figures (`docs/benchmarks.md`). Each runs in a process of its own, so its peak memory is its own.

    python -m tests.bench [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

NAMES: Final = (
    "demo_world",
    "stripe_lists",
    "webhooks",
    "reports",
    "receipts",
    "reconciliation",
    "many_runs",
    "sensor",
    "packets",
)


def main(names: list[str]) -> None:
    """Runs the named benchmarks, or all of them in the order of the job."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise SystemExit(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    for name in NAMES:
        if name in names or not names:
            print(f"# {name}", flush=True)
            subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
