"""Runs over landed worlds at stated times, in the steps of a run but without sources to pull.

Belongs here: landing a world, building, publishing, closing out; what is read anew every time. Does
not belong here: what happens in a world between two runs, and what must follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dagster_project import building, pipeline
from dagster_project.closing import land_acts
from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.settings import Settings
from tests.gates.landed import World

__all__ = ["READ_DAILY", "Runs", "read_again"]

READ_DAILY = (
    "tieout/coverage",
    "kernel/export_manifests",
    "kernel/money_rail_controls",
    "stripe/balances",
)
BUILT = tuple(
    f"+{name}"
    for name in (
        "payout_gates",
        "chargeback_exposure",
        "reconciliation_drift",
        "reconciliation_runs",
        "period_figures",
        "open_item_rollforward",
        "tag:acts",
    )
)


def read_again(
    daily: Mapping[str, Sequence[Mapping[str, Any]]], later: timedelta, pull: str
) -> World:
    """A world of its own for what is new; what is read daily is unchanged but for the time."""
    world = World()
    for name, rows in daily.items():
        for row in rows:
            moved = {
                key: value + later if isinstance(value, datetime) else value
                for key, value in row.items()
            }
            if "pull_id" in moved:
                moved["pull_id"] = f"{moved['pull_id']}{pull}"
            world.rows[name].append(moved)
    return world


class Runs:
    """A home with a clock of its own; `run` does what a run does after its pull."""

    def __init__(self, settings: Settings, start: datetime) -> None:
        self.now = start
        self.session = Session.open(settings, clock=lambda: self.now)

    def run(self, world: World, as_of: datetime) -> None:
        """Lands, builds what is read here, publishes and closes, in the steps of a run."""
        session = self.session
        self.now = as_of
        world.land(session.home.root, as_of - timedelta(minutes=5))
        run = Run(f"{as_of:%Y%m%dT%H%M%SZ}-000000", as_of, as_of, as_of)
        pipeline.pin(session, run)
        building.build(session.home, run, models=BUILT).require_good()
        pipeline._seal(session, run)
        pipeline.publish(session, run)
        self.now += timedelta(minutes=1)
        land_acts(session, run)
        acts = pipeline.build_acts(session, run, known_at=session.clock())
        assert acts is not None
        acts.require_good()
        pipeline.publish(session, run)
