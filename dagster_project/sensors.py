"""What a run waits for: a gate decision newer than the last one carried out.

Belongs here: looking at file names and asking for a run. Does not belong here: verifying or paying,
which the run does; a forged file costs one refused run and nothing else.
"""

from __future__ import annotations

from typing import Final

import dagster as dg

from dagster_project.enforcing import pending_decisions
from dagster_project.jobs import ENFORCE
from dagster_project.resources import Wiring

__all__ = ["decision_sensor"]

INTERVAL_SECONDS: Final = 30


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
