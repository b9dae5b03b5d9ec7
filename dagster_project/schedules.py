"""When a run starts by itself.

Belongs here: schedules. Does not belong here: what a run does (`jobs.py`).
"""

from __future__ import annotations

import dagster as dg

from dagster_project.jobs import RECONCILE

__all__ = ["schedules"]


def schedules(*, demo: bool) -> list[dg.ScheduleDefinition]:
    """Hourly reconciliation: evidence older than 90 minutes holds payouts.

    Args:
        demo: A demo home stays quiet until somebody asks; every other home starts running.
    """
    status = dg.DefaultScheduleStatus.STOPPED if demo else dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(
            name="hourly",
            job_name=RECONCILE,
            cron_schedule="7 * * * *",
            execution_timezone="UTC",
            default_status=status,
            description="Reconcile every hour, at a minute when others do not.",
        )
    ]
