"""The spool of verified deliveries: what arrived, once each, on disk before anybody says so.

Belongs here: `spool/webhooks/deliveries.sqlite`, which several processes share: events (hints to
read an object again), provider events (facts of the kernel's rail), and refusals, counted and
bounded. Does not belong here: verification, HTTP, or what follows from a delivery.

A body is never stored: of an event its id, type, account and time remain, of a refusal the same at
most, and the reason. Each commit is synced before `add` returns. An event id is accepted once, for
as long as the file lives, whatever restarts between.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from ingest.errors import TieoutError
from ingest.files import private_folder

__all__ = ["DeliverySpool", "SpooledEvent", "SpooledRefusal", "spool_path"]

MAX_REFUSALS: Final = 10_000
# Stripe keeps an event for 30 days and repeats a delivery for 3.
KEPT: Final = timedelta(days=90)
_WAIT_SECONDS: Final = 30.0
_SCHEMA: Final = (
    "create table if not exists event (seq integer primary key autoincrement, id text not null "
    "unique, type text not null, account text, created integer not null, received integer not "
    "null, outcome text)",
    "create index if not exists event_waiting on event (seq) where outcome is null",
    "create table if not exists provider_event (seq integer primary key autoincrement, tenant_id "
    "text not null, provider_id text not null, dedupe_key text not null, facts text not null, "
    "received integer not null, unique (tenant_id, provider_id, dedupe_key))",
    "create table if not exists refusal (seq integer primary key autoincrement, place text not "
    "null, code text not null, id text, type text, account text, received integer not null)",
)


@dataclass(frozen=True)
class SpooledEvent:
    """One verified event: a hint that something changed at the rail.

    Attributes:
        event_id: Stripe's id of the event.
        event_type: Such as `transfer.updated`.
        account: The connected account it happened on; None for the platform.
        created: When Stripe says it happened.
        seq: Its place in the spool, from 1; 0 before it is spooled.
    """

    event_id: str
    event_type: str
    account: str | None
    created: datetime
    seq: int = 0


@dataclass(frozen=True)
class SpooledRefusal:
    """One delivery that was not accepted: where, why, and what of it may be told."""

    place: str
    code: str
    event_id: str | None
    event_type: str | None
    account: str | None
    at: datetime


class DeliverySpool:
    """The spool of one home; safe to use from several threads and processes.

    Args:
        home: `TIEOUT_HOME`.

    Raises:
        TieoutError: The file is damaged or cannot be written.
    """

    def __init__(self, home: Path) -> None:
        path = spool_path(home)
        private_folder(path.parent)
        self._mutex = threading.Lock()
        with _storage_errors():
            # SQLite would make the file readable for all; the folder is private, the file too.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            self._db = sqlite3.connect(
                path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("pragma journal_mode = wal")
            # FULL: a commit has reached the disk when it returns, in a power cut too.
            self._db.execute("pragma synchronous = full")
            for statement in _SCHEMA:
                self._db.execute(statement)
            handle = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def close(self) -> None:
        """Closes this connection; what was accepted stays."""
        with self._mutex:
            self._db.close()

    def __enter__(self) -> DeliverySpool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- events -----------------------------------------------------------------------------------

    def add_event(self, event: SpooledEvent, *, at: datetime) -> bool:
        """Keeps an event; on return it is on disk. False: its id was accepted before."""
        added = self._write(
            "insert into event (id, type, account, created, received) values (?, ?, ?, ?, ?) "
            "on conflict (id) do nothing",
            (event.event_id, event.event_type, event.account, _unix(event.created), _unix(at)),
        )
        return added == 1

    def waiting(self, limit: int) -> list[SpooledEvent]:
        """Events whose object was not yet read again, oldest first, at most `limit`."""
        rows = self._read(
            "select id, type, account, created, seq from event where outcome is null "
            "order by seq limit ?",
            (limit,),
        )
        return [SpooledEvent(i, t, a, _time(created), seq) for i, t, a, created, seq in rows]

    def newest_waiting(self) -> int | None:
        """The place of the newest waiting event; None when none waits."""
        found: int | None = self._read("select max(seq) from event where outcome is null", ())[0][0]
        return found

    def settle(self, outcomes: Mapping[int, str], *, at: datetime) -> None:
        """Notes what became of events by their place, and forgets what is older than 90 days."""
        with self._mutex, _storage_errors():
            self._db.execute("begin immediate")
            self._db.executemany(
                "update event set outcome = ? where seq = ?",
                [(outcome, seq) for seq, outcome in outcomes.items()],
            )
            self._db.execute(
                "delete from event where outcome is not null and received < ?", (_unix(at - KEPT),)
            )
            self._db.execute("commit")

    def outcomes(self) -> dict[str, int]:
        """Events by outcome; `waiting` for those without."""
        rows = self._read(
            "select coalesce(outcome, 'waiting'), count(*) from event group by 1 order by 1", ()
        )
        return {str(outcome): int(count) for outcome, count in rows}

    # --- provider events --------------------------------------------------------------------------

    def add_provider_event(
        self,
        tenant_id: str,
        provider_id: str,
        dedupe_key: str,
        facts: Mapping[str, Any],
        *,
        at: datetime,
    ) -> bool:
        """Keeps the facts of a provider event; False: its dedupe key was accepted before."""
        added = self._write(
            "insert into provider_event (tenant_id, provider_id, dedupe_key, facts, received) "
            "values (?, ?, ?, ?, ?) on conflict do nothing",
            (tenant_id, provider_id, dedupe_key, orjson.dumps(facts).decode(), _unix(at)),
        )
        return added == 1

    def provider_events(self) -> Iterator[tuple[str, str, dict[str, Any], datetime]]:
        """All of them in order of arrival: tenant, provider, facts, when received."""
        rows = self._read(
            "select tenant_id, provider_id, facts, received from provider_event order by seq", ()
        )
        for tenant_id, provider_id, facts, received in rows:
            yield tenant_id, provider_id, orjson.loads(facts), _time(received)

    # --- refusals ---------------------------------------------------------------------------------

    def refuse(self, refusal: SpooledRefusal) -> None:
        """Notes a refusal; only the newest are kept, so that refusals cannot fill the disk."""
        facts = (refusal.event_id, refusal.event_type, refusal.account, _unix(refusal.at))
        with self._mutex, _storage_errors():
            self._db.execute("begin immediate")
            self._db.execute(
                "insert into refusal (place, code, id, type, account, received) "
                "values (?, ?, ?, ?, ?, ?)",
                (refusal.place, refusal.code, *facts),
            )
            self._db.execute(
                "delete from refusal where seq <= (select max(seq) from refusal) - ?",
                (MAX_REFUSALS,),
            )
            self._db.execute("commit")

    def refusals(self, limit: int = 100) -> list[SpooledRefusal]:
        """The newest refusals, newest first."""
        rows = self._read(
            "select place, code, id, type, account, received from refusal "
            "order by seq desc limit ?",
            (limit,),
        )
        return [SpooledRefusal(p, c, i, t, a, _time(at)) for p, c, i, t, a, at in rows]

    # --- a tenant that goes -----------------------------------------------------------------------

    def count_of(self, tenant_id: str, accounts: Sequence[str]) -> int:
        """Rows that are about a tenant or one of its connected accounts."""
        return sum(
            int(self._read(f"select count(*) from {table} where {where}", values)[0][0])
            for table, where, values in _about(tenant_id, accounts)
        )

    def forget(self, tenant_id: str, accounts: Sequence[str]) -> None:
        """Removes those rows, and overwrites on disk what they held."""
        with self._mutex, _storage_errors():
            self._db.execute("pragma secure_delete = on")
            self._db.execute("begin immediate")
            for table, where, values in _about(tenant_id, accounts):
                self._db.execute(f"delete from {table} where {where}", values)
            self._db.execute("commit")
            self._db.execute("pragma wal_checkpoint(truncate)")

    # --- SQLite -----------------------------------------------------------------------------------

    def _write(self, statement: str, values: Sequence[object]) -> int:
        with self._mutex, _storage_errors():
            return self._db.execute(statement, values).rowcount

    def _read(self, statement: str, values: Sequence[object]) -> list[Any]:
        with self._mutex, _storage_errors():
            return self._db.execute(statement, values).fetchall()


def _about(tenant_id: str, accounts: Sequence[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Table, condition and its values, for each table of the spool."""
    marks = ", ".join("?" * len(accounts))
    yield "event", f"account in ({marks})", tuple(accounts)
    yield "refusal", f"account in ({marks})", tuple(accounts)
    yield "provider_event", "tenant_id = ?", (tenant_id,)


def spool_path(home: Path) -> Path:
    """Where the spool of a home lies."""
    return home / "spool" / "webhooks" / "deliveries.sqlite"


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise TieoutError(
            got=f"{type(error).__name__} from the spool of deliveries",
            expected="a file that this user may write to, with space left",
            remedy="Check disk and owner of TIEOUT_HOME; a damaged file in spool/webhooks may "
            "be moved aside: the next pull reads the rail in any case",
            code="spool_unusable",
        ) from None


def _unix(at: datetime) -> int:
    return int(at.timestamp())


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
