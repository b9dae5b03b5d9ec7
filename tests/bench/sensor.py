"""One tick of the enforcement sensor over years of decisions.

    python -m tests.bench.sensor --tenants 50 --decisions 1000

Belongs here: the time of a tick, first and later ones. Does not belong here: what a tick says.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from statistics import median

import dagster as dg

from dagster_project.resources import Wiring
from dagster_project.sensors import decision_sensor

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TICKS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--decisions", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environ = {"TIEOUT_HOME": folder, "TIEOUT_PAYOUTS": "live"}
        wiring = Wiring(environ=environ, clock=lambda: NOW)
        decisions = wiring.home().decisions
        for tenant in range(options.tenants):
            (decisions / f"t_{tenant}").mkdir()
            for number in range(options.decisions):
                at = NOW - timedelta(hours=number)
                (decisions / f"t_{tenant}" / f"{at:%Y%m%dT%H%M%SZ}-aa.json").touch()
            # As if they had come an hour ago.
            os.utime(decisions / f"t_{tenant}", (time.time() - 3600,) * 2)
        sensor = decision_sensor(wiring)
        seconds = []
        for _ in range(TICKS):
            started = time.perf_counter()
            sensor(dg.build_sensor_context())
            seconds.append(time.perf_counter() - started)
    files = options.tenants * options.decisions
    print(
        f"{files:,} decisions of {options.tenants} tenants: first tick {seconds[0] * 1000:.0f} ms, "
        f"later ticks {median(seconds[1:]) * 1000:.1f} ms"
    )


if __name__ == "__main__":
    main()
