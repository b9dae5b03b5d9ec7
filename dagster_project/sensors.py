"""What a run waits for: a gate decision not carried out yet, a payment without a known outcome, a
webhook event whose object was not read again.

Belongs here: looking at file names, marks and one small state file, asking for a run, and saying in
the UI why none is asked for. Does not belong here: verifying, reading or paying, which the run
does; a forged file costs one refused run and nothing else.

The decision sensor compares what is there with what was done: it keeps asking, a few minutes apart,
for as long as something is due, so that a lost tick, a failed run or a killed process delays and
loses nothing. Whatever it cannot read, it reports, and asks for nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import dagster as dg

from dagster_project.deciding import decided_at
from dagster_project.due import Due, newest_decisions
from dagster_project.jobs import ENFORCE, RECONCILE
from dagster_project.resources import Wiring
from dagster_project.settings import Settings
from ingest.deliveries.drop import waiting_mark
from ingest.errors import TieoutError

__all__ = ["decision_sensor", "hint_sensor"]

INTERVAL_SECONDS: Final = 30
# A run reads everything that waits: asking more often would only queue runs.
HINT_INTERVAL_SECONDS: Final = 120
ASK_AGAIN_SECONDS: Final = 300


def decision_sensor(wiring: Wiring) -> dg.SensorDefinition:
    """Asks for an enforcement run while a decision or an unclear payment is due."""

    @dg.sensor(
        name="new_gate_decision",
        job_name=ENFORCE,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A signed gate decision that was not carried out yet, or a payment without a "
        "known outcome, asks for a run of the enforce job. Off with TIEOUT_PAYOUTS=off.",
    )
    def new_gate_decision(
        context: dg.SensorEvaluationContext,
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            settings = Settings.from_env(wiring.environ)
            if settings.payouts == "off":
                return dg.SkipReason("TIEOUT_PAYOUTS is off")
            found = newest_decisions(wiring.home())
        except (TieoutError, OSError) as error:
            return dg.SkipReason(f"nothing is paid. {error}")
        now = wiring.clock()
        due = [each for each in found if each.is_open or _is_live(each, now, settings)]
        if not due:
            return dg.SkipReason(_why_nothing(found))
        # Asked once a few minutes: a run that is asked for twice is carried out once.
        turn = int(now.timestamp()) // ASK_AGAIN_SECONDS
        key = "|".join(f"{each.tenant_id}/{_name(each)}" for each in due) + f"@{turn}"
        if key == context.cursor:
            return dg.SkipReason("a run was already asked for")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key)], cursor=key)

    return new_gate_decision


def hint_sensor(wiring: Wiring) -> dg.SensorDefinition:
    """Asks for one run for each new set of webhook events; the run reads their objects again."""

    @dg.sensor(
        name="new_webhook_event",
        job_name=RECONCILE,
        minimum_interval_seconds=HINT_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A verified webhook event, or a delivery in the drop folder, asks for a run of "
        "the reconcile job, which reads the object again.",
    )
    def new_webhook_event(
        context: dg.SensorEvaluationContext,
    ) -> dg.SensorResult | dg.SkipReason:
        mark = waiting_mark(wiring.home().root)
        if mark is None:
            return dg.SkipReason("no event waits to be read again")
        if mark == context.cursor:
            return dg.SkipReason("a run was already asked for")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=mark)], cursor=mark)

    return new_webhook_event


def _is_live(due: Due, now: datetime, settings: Settings) -> bool:
    """Whether a decision is new and, by its name, not expired; the run asks the decision itself."""
    if due.path is None or not due.is_new:
        return False
    as_of = decided_at(due.path)
    # A name that says no time is for the run to refuse.
    return as_of is None or now < as_of + settings.decision_lifetime


def _name(due: Due) -> str:
    return due.path.name if due.path else "no decision"


def _why_nothing(found: list[Due]) -> str:
    """What holds every tenant's payouts, one clause a reason."""
    if not found:
        return "no gate decision yet: nothing is paid before a run has published and signed one"
    stale = [due.tenant_id for due in found if due.is_new]
    refused = [f"{due.tenant_id} ({due.refused})" for due in found if due.refused]
    clauses = []
    if stale:
        clauses.append(f"expired before it was carried out: {', '.join(stale)}")
    if refused:
        clauses.append(f"refused: {', '.join(refused)}")
    held = f"; nothing is paid there until a run decides anew ({'; '.join(clauses)})"
    return "every live decision was carried out" + (held if clauses else "")
