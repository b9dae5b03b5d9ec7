"""A read-rate limiter that every process of one home shares.

Belongs here: deciding when the next request may leave, per scope (an endpoint) and over all, and
counting the requests of a month against a budget. Does not belong here: retries, HTTP, or which
scopes exist.

Each bucket is one number in SQLite: the time up to which requests are already spoken for. A caller
reserves its slot in one short transaction and then sleeps outside it, so processes queue fairly and
a dead one costs at most its own slot. The file holds no truth: a damaged one is made anew, with the
month counted from then on.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ingest.errors import SourceUnavailable, TieoutError
from ingest.files import private_folder

__all__ = ["Limiter", "ReadLimits"]

# A reservation further away than this was left by a clock that has since been set back.
_HORIZON_SECONDS: Final = 900.0
_BURST_SECONDS: Final = 0.2
_OVERALL: Final = "*"


@dataclass(frozen=True)
class ReadLimits:
    """How hard a rail may be read; every one of them is a setting.

    Attributes:
        per_second: Requests to one endpoint, over all processes of a home.
        overall_per_second: Requests to all endpoints.
        per_month: Requests of a calendar month over all accounts; None for no budget.
        slices: Slices of one list that are read at the same time.
        attempts: How often one request is tried.
        timeout_seconds: For one answer.
    """

    per_second: float = 25.0
    overall_per_second: float = 100.0
    per_month: int | None = None
    slices: int = 4
    attempts: int = 5
    timeout_seconds: float = 80.0


class Limiter:
    """Token buckets at `path`, one per scope and one over all.

    Args:
        path: SQLite file, usually `state/limits.sqlite` of the home.
        per_second: Requests a second for each scope.
        overall_per_second: Requests a second over all scopes.
        per_month: Requests a calendar month (UTC) over all scopes; None for no budget.
        clock: Wall-clock seconds, shared by all processes of the machine.
        sleep: Called with seconds to wait.
    """

    def __init__(
        self,
        path: Path,
        *,
        per_second: float = 25.0,
        overall_per_second: float = 100.0,
        per_month: int | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rates = (per_second, overall_per_second)
        self._per_month = per_month
        self._clock = clock
        self._sleep = sleep
        self._mutex = threading.Lock()
        private_folder(path.parent)
        with _database_errors():
            try:
                self._db = _open(path)
            except sqlite3.DatabaseError:
                path.unlink(missing_ok=True)
                self._db = _open(path)

    def acquire(self, scope: str) -> float:
        """Waits until a request of `scope` may leave; returns the seconds waited.

        Raises:
            SourceUnavailable: The month's budget is used up (code `read_budget_used`).
        """
        with self._mutex, _database_errors():
            wait_seconds = self._reserve(scope)
        if wait_seconds > 0:
            self._sleep(wait_seconds)
        return wait_seconds

    def pause(self, seconds: float, scope: str | None = None) -> None:
        """Keeps every process from sending for `seconds`, in one scope or in all."""
        until = self._clock() + min(max(seconds, 0.0), _HORIZON_SECONDS / 2)
        with self._mutex, _database_errors():
            self._db.execute(
                "insert into bucket values (?1, ?2) "
                "on conflict (name) do update set spoken_for = max(spoken_for, ?2)",
                (scope or _OVERALL, until + _BURST_SECONDS),
            )

    def used_this_month(self) -> int:
        """Requests of the current month, of every process of this home."""
        with self._mutex, _database_errors():
            return self._used(self._month())

    def close(self) -> None:
        """Closes the file; other processes are not affected."""
        with self._mutex:
            self._db.close()

    def _reserve(self, scope: str) -> float:
        self._db.execute("begin immediate")
        try:
            now = self._clock()
            month = self._month()
            if self._per_month is not None and self._used(month) >= self._per_month:
                raise _budget_used(self._per_month, month)
            self._db.execute(
                "insert into used values (?1, 1) "
                "on conflict (month) do update set reads = reads + 1",
                (month,),
            )
            slot = now
            buckets: list[tuple[str, float, float]] = []
            for name, rate in zip((scope, _OVERALL), self._rates, strict=True):
                row = self._db.execute(
                    "select spoken_for from bucket where name = ?", (name,)
                ).fetchone()
                spoken_for = float(row[0]) if row else now
                if spoken_for > now + _HORIZON_SECONDS:
                    spoken_for = now
                slot = max(slot, spoken_for - _BURST_SECONDS)
                buckets.append((name, spoken_for, 1.0 / rate))
            # Each bucket moves by its own rate: a paused endpoint must not hold up the others.
            for name, spoken_for, interval in buckets:
                self._db.execute(
                    "insert into bucket values (?1, ?2) "
                    "on conflict (name) do update set spoken_for = ?2",
                    (name, max(spoken_for, now) + interval),
                )
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")
        return slot - now

    def _month(self) -> str:
        return f"{datetime.fromtimestamp(self._clock(), UTC):%Y-%m}"

    def _used(self, month: str) -> int:
        row = self._db.execute("select reads from used where month = ?", (month,)).fetchone()
        return int(row[0]) if row else 0


def _budget_used(per_month: int, month: str) -> SourceUnavailable:
    return SourceUnavailable(
        got=f"{per_month} requests in {month}, which is the whole budget of the month",
        expected="reads within TIEOUT_STRIPE_READS_PER_MONTH, over all accounts",
        remedy="Raise the budget if Stripe allows it, narrow TIEOUT_STRIPE_ACCOUNTS, or wait for "
        "the next month; until then what could not be read is incomplete",
        code="read_budget_used",
    )


@contextlib.contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TieoutError(
            got=f"{type(error).__name__} from the limiter's file",
            expected="a file that all processes of this home may write to",
            remedy="Check disk and owner of TIEOUT_HOME, or remove state/limits.sqlite: it is made "
            "anew",
            code="limits_unusable",
        ) from error


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    # Losing the last reservations in a power cut is harmless; waiting for the disk is not.
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = off")
    db.execute(
        "create table if not exists bucket (name text primary key, spoken_for real not null)"
    )
    db.execute("create table if not exists used (month text primary key, reads integer not null)")
    return db
