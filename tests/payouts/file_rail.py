"""The rail in memory, kept in a file between calls, so that it outlives the processes that ask it.

Belongs here: loading, locking and storing. Does not belong here: how the rail behaves
(fake_rail.py).
"""

from __future__ import annotations

import fcntl
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.payouts.rail import RailIdentity, RailListing, RailTransfer, TransferIntent
from tests.payouts.fake_rail import Clock, FakeRail

__all__ = ["FileRail"]


class FileRail:
    """A rail for many processes; its clock is the caller's, read at each call."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        path.write_bytes(pickle.dumps(FakeRail(clock)))

    @contextmanager
    def opened(self) -> Iterator[FakeRail]:
        """The rail, alone; what was done to it is kept even where the call then fails."""
        with self._path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            rail: FakeRail = pickle.loads(file.read())
            rail.clock = self._clock
            try:
                yield rail
            finally:
                file.seek(0)
                file.truncate()
                file.write(pickle.dumps(rail))
                file.flush()

    def identity(self) -> RailIdentity:
        with self.opened() as rail:
            return rail.identity()

    def find_transfers(self, transfer_group: str) -> RailListing:
        with self.opened() as rail:
            return rail.find_transfers(transfer_group)

    def create_transfer(self, intent: TransferIntent, idempotency_key: str) -> RailTransfer:
        with self.opened() as rail:
            return rail.create_transfer(intent, idempotency_key)
