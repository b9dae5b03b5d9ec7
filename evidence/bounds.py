"""Bounds of a replay: how much memory and time a packet may cost whoever computes it again.

What belongs here: the limits, and the watch that ends what outlasts them. What does not: what is
computed (replay.py). A packet's plan is hostile until its signer is known to be honest, which
nobody knows of a signer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from evidence.errors import Refusal

_INTERRUPT_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """Bounds of one replay: of the engine's memory in MiB, and of all its work together."""

    memory_mib: int = 4096
    timeout_seconds: float = 600.0


class Watch:
    """The time a replay has: whatever the engine runs after it is interrupted, again and again.

    Once would not do. An interrupt that finds the engine idle is forgotten, and a packet whose
    plan keeps its reader busy when the time ends could then run the next statement for ever.
    """

    def __init__(self, interrupt: Callable[[], object], seconds: float) -> None:
        self._interrupt = interrupt
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Refuse to go on when the time is over, for work outside the engine.

        Raises:
            Refusal: `replay_limits`.
        """
        if time.monotonic() > self._ends:
            raise Refusal("replay_limits", f"got no end, expected one within {self._seconds:.0f} s")

    def stop(self) -> None:
        """End the watch, before the connection is closed."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        if self._done.wait(self._seconds):
            return
        while not self._done.wait(_INTERRUPT_SECONDS):
            self._interrupt()
