"""Running a job in this process: the same job the UI runs, without a daemon.

Belongs here: one execution. Does not belong here: what the job does, what is shown of it, or where
Dagster logs it (`event_log.py`).
"""

from __future__ import annotations

import logging
from datetime import datetime

from dagster_project.assets.landing import RUN_KEY
from dagster_project.definitions import build_defs
from dagster_project.event_log import instance_of
from dagster_project.jobs import ENFORCE, RECONCILE, RECONCILE_AND_ENFORCE
from dagster_project.resources import Wiring
from dagster_project.runs import Run, find
from dagster_project.session import Session
from ingest.errors import TieoutError

__all__ = ["execute_enforcement", "execute_run"]

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute_run(
    session: Session,
    *,
    as_of: datetime | None = None,
    tenants: tuple[str, ...] = (),
    full: bool = False,
) -> Run:
    """Executes a whole run in this process and records it in the home's Dagster instance.

    Args:
        session: An opened session; its progress is told.
        as_of: Earlier business time, or None.
        tenants: Narrows pulling and issuing.
        full: Pull everything again.

    Returns:
        The run as it was carried out.

    Raises:
        TieoutError: What stopped it; the last publication stands.
    """
    job = RECONCILE if session.settings.payouts == "off" else RECONCILE_AND_ENFORCE
    options = {
        "as_of": as_of.isoformat() if as_of else "",
        "tenants": list(tenants),
        "full": full,
    }
    config = {**_QUIET, "ops": {RUN_KEY.to_python_identifier(): {"config": options}}}
    run = find(session.home, _execute(session, job, config))
    if run is None:
        raise TieoutError(
            got=f"a {job} job that began no run",
            expected="each run to note its cut-off first",
            remedy="Run again; if it repeats, remove state/runs in the home",
            code="run_not_found",
        )
    return run


def execute_enforcement(session: Session) -> None:
    """Executes the enforce job alone, as the sensor asks for it."""
    _execute(session, ENFORCE, dict(_QUIET))


def _execute(session: Session, job: str, config: dict[str, object]) -> str:
    """Runs a job; returns Dagster's id of the run."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    session.progress("models", "reading the dbt project")
    definitions = build_defs(Wiring(opened=session))
    with instance_of(session.home) as instance:
        result = definitions.resolve_job_def(job).execute_in_process(
            run_config=config, instance=instance, raise_on_error=True
        )
        return str(result.run_id)
