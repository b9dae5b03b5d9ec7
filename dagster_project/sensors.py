"""What a run waits for: a gate decision newer than the last one carried out, or a webhook event
whose object was not read again.

Belongs here: looking at file names and marks and asking for a run. Does not belong here: verifying,
reading or paying, which the run does; a forged file costs one refused run and nothing else.
"""

from __future__ import annotations

from typing import Final

import dagster as dg

from dagster_project.enforcing import pending_decisions
from dagster_project.jobs import ENFORCE, RECONCILE
from dagster_project.resources import Wiring
from ingest.deliveries.drop import waiting_mark

__all__ = ["decision_sensor", "hint_sensor"]

INTERVAL_SECONDS: Final = 30
# A run reads everything that waits: asking more often would only queue runs.
HINT_INTERVAL_SECONDS: Final = 120


def decision_sensor(wiring: Wiring) -> dg.SensorDefinition:
    """Asks for one enforcement run for each set of new decisions."""

    @dg.sensor(
        name="new_gate_decision",
        job_name=ENFORCE,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A signed gate decision newer than the last one carried out asks for a run of "
        "the enforce job. Off with TIEOUT_PAYOUTS=off.",
    )
    def new_gate_decision(
        context: dg.SensorEvaluationContext,
    ) -> dg.SensorResult | dg.SkipReason:
        if wiring.environ.get("TIEOUT_PAYOUTS", "off") == "off":
            return dg.SkipReason("TIEOUT_PAYOUTS is off")
        pending = pending_decisions(wiring.home())
        if not pending:
            return dg.SkipReason("no decision newer than the last one carried out")
        key = "|".join(f"{tenant}/{path.name}" for tenant, path in pending)
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
