"""What goes wrong in one process of enforcement, and a record of what really did.

Belongs here: dying at any boundary (also between a write, its sync and its rename), a disk that
fills, a clock that jumps, a switch thrown midway, and the note each leaves. Does not belong here:
the rail's weather (fake_rail.py), or the life around a process (fault_runs.py).

A fault that was planned and never reached proves nothing. So the process itself notes what befell
it, in a file that outlives it, and only notes are counted.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from datetime import timedelta

from ingest.errors import PayoutRefused, TieoutError
from ingest.payouts import durable
from ingest.payouts.decision import DecidedPayout
from ingest.payouts.journal import Journal
from ingest.payouts.standing import JournalRow
from ingest.payouts.submit import SubmissionResult
from tests.payouts.desk import Desk
from tests.payouts.file_rail import FileRail

__all__ = ["FAILED", "KILLED", "REFUSED", "UNEXPECTED", "Luck", "Watched", "forked", "notes_of"]

REFUSED, FAILED, KILLED, UNEXPECTED = 3, 4, 9, 70
_write_all, _try_lock = durable._write_all, durable._try_lock


def forked(*works: Callable[[], object]) -> list[int]:
    """Runs each work in a process of its own, all at once; their exit codes."""
    pids = []
    for work in works:
        pid = os.fork()
        if pid == 0:
            code = UNEXPECTED
            try:
                work()
                code = 0
            except PayoutRefused:
                code = REFUSED
            except TieoutError:
                code = FAILED
            finally:
                os._exit(code)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def notes_of(desk: Desk) -> list[str]:
    """What befell the processes of one home, oldest first."""
    path = desk.home / "notes"
    return path.read_text().splitlines() if path.exists() else []


class Luck:
    """What goes wrong in one process, decided by its own seed.

    Attributes:
        doing: The row being written, or the last boundary passed: a boundary's name is what was
            reached and in the middle of what.
        patience_seconds: How long to wait for another pass.
        thrown_at: Requests the rail had seen when the switch was thrown; None before.
    """

    def __init__(
        self, rng: random.Random, desk: Desk, rail: FileRail, *, calm: bool = False
    ) -> None:
        self.rng, self.desk, self.rail = rng, desk, rail
        # Most passes are short; the far boundaries are those of the few long ones.
        within = rng.choice([15, 40, 90])
        self.dies_at = rng.randint(1, within) if not calm and rng.random() < 0.6 else -1
        self.write_fails_at = rng.randint(1, 16) if not calm and rng.random() < 0.3 else -1
        self.fills_disk = rng.random() < 0.5
        self.switch_at = rng.randint(0, 80) if not calm and rng.random() < 0.3 else -1
        self.jump_at = rng.randint(1, 60) if not calm and rng.random() < 0.1 else -1
        self.jump = timedelta(minutes=rng.choice([-3000, -200, -10, -1, 1, 10, 200, 3000]))
        self.patience_seconds = rng.choice([0.0, 2.0])
        self.steps = self.writes = self.asked_before = 0
        self.is_full = False
        self.doing = "opening"
        self.thrown_at: int | None = None

    def befall(self) -> None:
        """Lets bad luck into this process; for a forked one, which does not come back."""
        self.asked_before = self._asked()
        if self.switch_at == 0:
            self._throw()
        durable._write_all = self.write
        durable._sync = lambda handle: self.step("file synced")
        durable._sync_folder = lambda path: self.step("folder synced")
        durable._try_lock = self._lock

    def note(self, what: str) -> None:
        """Writes down what happened."""
        handle = os.open(self.desk.home / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, f"{what}\n".encode())
        os.close(handle)

    def tell(self, results: list[SubmissionResult]) -> None:
        """Notes every answer of a pass."""
        for result in results:
            self.note(" ".join(("answer", result.state, *result.codes)))

    def step(self, name: str) -> None:
        """One boundary: the process dies here, the clock jumps here, a switch is thrown here."""
        if name.startswith(("payout.", "pass.")):
            where, self.doing = name, name
        else:
            where = f"{name} of {self.doing}"
        if self.steps == self.jump_at:
            self.desk.clock.now += self.jump
            self.note("clock jumped " + ("back" if self.jump < timedelta(0) else "ahead"))
        self.steps += 1
        if self.steps == self.dies_at:
            self._die(where)
        if self.steps == self.switch_at:
            self._throw()

    def write(self, handle: int, data: bytes) -> None:
        """One write: whole, cut off by death, or cut off by a disk that stays full."""
        self.writes += 1
        if self.is_full or self.writes == self.write_fails_at:
            os.write(handle, b"" if self.is_full else data[: self.rng.randint(0, len(data))])
            if not self.fills_disk:
                self._die(f"a write of {self.doing}")
            self.is_full = True
            self.note(f"disk full at {self.doing}")
            raise OSError(errno.ENOSPC, "No space left on device")
        _write_all(handle, data)

    def switches(self, _payout: DecidedPayout, _now: object) -> tuple[str, ...]:
        """What an operator's book says when it is read again."""
        if self.thrown_at is None:
            return ()
        midway = self.thrown_at > self.asked_before
        self.note("switch held " + ("mid-batch" if midway else "before the first call"))
        return ("PAYOUT_KILL_SWITCH_ACTIVE",)

    def _throw(self) -> None:
        self.thrown_at = self._asked()
        (self.desk.home / "thrown").write_text(str(self.thrown_at))

    def _asked(self) -> int:
        with self.rail.opened() as rail:
            return len(rail.creations)

    def _lock(self, handle: int) -> bool:
        is_ours = _try_lock(handle)
        if not is_ours:
            self.note("lock found taken")
        return is_ours

    def _die(self, where: str) -> None:
        self.note(f"killed at {where}")
        os._exit(KILLED)


class Watched(Journal):
    """The journal of one process, which says which row it is writing."""

    def __init__(self, luck: Luck) -> None:
        super().__init__(luck.desk.home, luck.step)
        self._luck = luck

    def record(self, row: JournalRow) -> JournalRow:
        before, self._luck.doing = self._luck.doing, row.state
        written = super().record(row)
        self._luck.doing = before
        return written
