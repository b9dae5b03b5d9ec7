"""What every step of a run has at hand: settings, home, clock, progress, and the rail to talk to.

Belongs here: opening those once and closing what was started. Does not belong here: a step
(`pipeline.py` and its neighbours), or Dagster's view of them (`resources.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dagster_project.home import Home, open_home
from dagster_project.settings import DEMO_API_KEY, Settings
from dagster_project.simulation import Simulation
from ingest.limits import ReadLimits

if TYPE_CHECKING:
    from ingest.landing import Landing

__all__ = ["Progress", "Rail", "Session"]

STRIPE_API_BASE: Final = "https://api.stripe.com"
# The simulator on this machine may be read as fast as it answers.
SIMULATED_LIMITS: Final = ReadLimits(per_second=2_000.0, overall_per_second=8_000.0)

Progress = Callable[[str, str], None]
"""Called with a step's name and what it is doing."""


def _silent(step: str, detail: str) -> None:
    """Progress nobody watches."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Rail:
    """How to reach Stripe and the kernel's exports: the real ones, or the simulator's."""

    api_key: str = field(repr=False)
    payout_api_key: str | None = field(repr=False)
    api_base: str
    exports: str
    kernel_trust: Path | None
    limits: ReadLimits


@dataclass
class Session:
    """One process's work on one home. Use as a context manager to stop what it started.

    Attributes:
        settings: What the environment asked for.
        home: The opened home.
        clock: Gives the current UTC time; the only clock of the steps.
        progress: Told what is being done.
    """

    settings: Settings
    home: Home
    clock: Callable[[], datetime] = _utc_now
    progress: Progress = _silent
    keep_simulator: bool = False
    _simulation: Simulation | None = None

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = _utc_now,
        progress: Progress = _silent,
    ) -> Session:
        """Opens the home of the settings; see `open_home` for what it refuses."""
        return cls(settings, open_home(settings), clock, progress)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the simulator if this session started it and need not keep it."""
        if self._simulation is not None and not self.keep_simulator:
            self._simulation.stop()
        self._simulation = None

    @cached_property
    def landing(self) -> Landing:
        """The landed batches of the home."""
        from ingest.landing import Landing  # noqa: PLC0415  # loads DuckDB, which readers may not need

        return Landing(self.home.root)

    def rail(self) -> Rail:
        """Where money moves: in a demo home the simulator, started when it is not running."""
        settings = self.settings
        if settings.mode == "demo":
            self._simulation = self._simulation or Simulation.ensure(self.home, now=self.clock())
            simulation = self._simulation
            return Rail(
                api_key=DEMO_API_KEY,
                payout_api_key=DEMO_API_KEY,
                api_base=simulation.url,
                exports=str(simulation.exports),
                kernel_trust=simulation.kernel_trust,
                limits=replace(SIMULATED_LIMITS, per_month=settings.stripe_limits.per_month),
            )
        # from_env gives both or neither, so a home that is not a demo has both.
        return Rail(
            api_key=settings.stripe_api_key or "",
            payout_api_key=settings.payout_api_key,
            api_base=settings.stripe_api_base or STRIPE_API_BASE,
            exports=settings.kernel_exports or "",
            kernel_trust=settings.kernel_trust,
            limits=settings.stripe_limits,
        )
