"""What Dagster remembers of old runs of a home: events, logs and outputs, 7 MB a run, go in time.

Belongs here: how many runs stay, and their removal. Does not belong here: what a run did, which is
landed and stays (`closing.py`), or Tieout's own notes of a run (`runs.py`).
"""

from __future__ import annotations

import shutil
from typing import Final

import dagster as dg

from dagster_project.home import Home

__all__ = ["forget_old_runs"]

KEPT_RUNS: Final = 500
# A home of many runs forgets them by and by; each takes a tenth of a second.
FORGOTTEN_AT_ONCE: Final = 20


def forget_old_runs(instance: dg.DagsterInstance, home: Home) -> int:
    """Removes what Dagster keeps of all but the newest runs; returns of how many."""
    kept = instance.get_run_ids(limit=KEPT_RUNS)
    if len(kept) < KEPT_RUNS:
        return 0
    old = instance.get_run_ids(cursor=kept[-1], limit=FORGOTTEN_AT_ONCE)
    for run_id in old:
        instance.delete_run(run_id)
        # Dagster empties a run's own file and leaves it there at its full size.
        (home.dagster / "history" / "runs" / f"{run_id}.db").unlink(missing_ok=True)
        shutil.rmtree(home.dagster / "storage" / run_id, ignore_errors=True)
    return len(old)
