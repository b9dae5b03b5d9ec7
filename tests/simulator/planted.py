"""The worlds that several tests look at, built once a process; nobody may change them.

Belongs here: cached builds at one anchor. Does not belong here: any test.
"""

from __future__ import annotations

from functools import cache

from ingest.simulator.scenarios import SCENARIOS
from ingest.simulator.world import World, build_demo, build_scenarios
from tests.simulator.kernel_face import ANCHOR

__all__ = ["the_demo", "the_stage"]


@cache
def the_demo() -> World:
    """The demo at the usual anchor."""
    return build_demo(ANCHOR)


@cache
def the_stage() -> World:
    """Every scenario at the usual anchor."""
    return build_scenarios(ANCHOR, list(SCENARIOS))
