"""Building worlds: the demo, or one tenant a scenario.

Belongs here: the two ways a world comes into being. Does not belong here: what a world is
(world_state.py), what the demo does (demo.py), or which faults exist (scenarios.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from ingest.simulator.demo import plant_demo
from ingest.simulator.scenarios import SCENARIOS
from ingest.simulator.world_state import PLATFORM_TENANT, World, period_start, previous_month

__all__ = ["PLATFORM_TENANT", "World", "build_demo", "build_scenarios"]


def build_demo(
    anchor: datetime,
    seed: int = 0,
    *,
    clock: Callable[[], datetime] | None = None,
    journal_path: Path | None = None,
) -> World:
    """Return the demo: three partners over three full months and the first days of a fourth.

    Args:
        anchor, seed, clock, journal_path: see `World`.
    """
    world = World(anchor, seed, clock=clock, journal_path=journal_path)
    plant_demo(world)
    return world


def build_scenarios(
    anchor: datetime,
    names: Sequence[str],
    seed: int = 0,
    *,
    clock: Callable[[], datetime] | None = None,
    journal_path: Path | None = None,
) -> World:
    """Return a world with one tenant `t_<scenario>` for each named scenario.

    Args:
        anchor, seed, clock, journal_path: see `World`.

    Raises:
        KeyError: a name is not in `SCENARIOS`.
    """
    world = World(anchor, seed, clock=clock, journal_path=journal_path)
    opened_at = period_start(previous_month(world.months[0]))
    for currency, cents in (("usd", 100_000_000), ("eur", 20_000_000)):
        world.rail.top_up(cents, at=opened_at, currency=currency)
    for name in names:
        SCENARIOS[name].plant(world, f"t_{name}")
    return world
