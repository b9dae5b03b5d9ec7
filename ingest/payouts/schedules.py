"""Payout schedules of connected accounts: manual while an account is under a hold, then its own.

Belongs here: the steps around the one call that changes a schedule, and the book that remembers
what to give back. Does not belong here: which accounts are under a hold (the caller reads signed
decisions), or HTTP.

An account's own schedule is on disk before the call that replaces it, so that no death between
reading and replacing loses it. What the rail shows decides what a death left behind: manual means
the call was heard. A call without an answer is made again under its own idempotency key, so that a
rail that heard it does nothing more. A schedule that is not manual although we set it was changed
by somebody who knows better: it is left alone until the hold has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

from ingest.errors import JournalError, PayoutRefused
from ingest.payouts import durable
from ingest.payouts.chain import ChainFile, Checkpoint, no_checkpoint
from ingest.payouts.rail import RailRejected, RailUnclear

__all__ = ["PayoutSchedule", "ScheduleBook", "ScheduleRail", "ScheduleRow", "keep_schedules"]

MANUAL: Final = "manual"
STATES: Final = ("taking", "held", "left", "returning", "returned")
# A request without an answer may be heard this much later.
LATEST_ARRIVAL: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class PayoutSchedule:
    """When Stripe pays an account's balance out by itself; `manual` is never."""

    interval: str
    weekly_payout_days: tuple[str, ...] = ()
    monthly_payout_days: tuple[int, ...] = ()

    @property
    def is_manual(self) -> bool:
        return self.interval == MANUAL


class ScheduleRail(Protocol):
    """What a rail must offer; each call asks once.

    Raises:
        RailRejected: Nothing was done.
        RailUnclear: Anything else; a change may have been made, or may yet be.
    """

    def payout_schedule(self, account_id: str) -> PayoutSchedule: ...

    def set_payout_schedule(
        self, account_id: str, schedule: PayoutSchedule, idempotency_key: str
    ) -> None: ...


@dataclass(frozen=True)
class ScheduleRow:
    """One line of the book.

    Attributes:
        tenants: Whose decisions hold the account; it gets its schedule back when none is left.
        state: `taking` (about to be set to manual), `held`, `left` (changed by others during the
            hold), `returning` (about to be given back) or `returned` (nothing is owed).
        own: What to give back.
        key: Idempotency key of the request that `taking` and `returning` announce.
    """

    account_id: str
    tenants: tuple[str, ...]
    state: str
    own: PayoutSchedule
    key: str
    at: datetime


class ScheduleBook:
    """`journal/schedules.jsonl` of one home: append-only, chained, one writer at a time."""

    def __init__(self, home: Path, checkpoint: Checkpoint = no_checkpoint) -> None:
        self.path = home / "journal" / "schedules.jsonl"
        self.checkpoint = checkpoint
        self._chain = ChainFile(self.path, checkpoint)

    def rows(self) -> list[ScheduleRow]:
        """Every row from disk, oldest first.

        Raises:
            JournalError: The file is not intact.
        """
        return [_decode(line.body) for line in self._chain.read() if line.kind == "row"]

    def last(self) -> dict[str, ScheduleRow]:
        """Where each account stands."""
        return {row.account_id: row for row in self.rows()}

    @contextmanager
    def exclusive(self, wait_seconds: float = 10.0) -> Iterator[None]:
        """Hold the right to append.

        Raises:
            PayoutRefused: Another pass keeps it for longer than `wait_seconds`.
        """
        folder = durable.private_folder(self.path.parent)
        try:
            with durable.hold_lock(folder / "schedules.lock", wait_seconds):
                self.rows()
                self._chain.settle()
                yield
        except TimeoutError:
            raise PayoutRefused(
                got="another pass over the payout schedules of this home",
                expected="one pass at a time",
                remedy="Let it finish; the next one tries again",
                code="enforcer_busy",
            ) from None

    def record(self, row: ScheduleRow) -> None:
        """Append a row and return once it is on disk."""
        body = asdict(row) | {"at": row.at.astimezone(UTC).isoformat()}
        self._chain.append(body)


def keep_schedules(
    held: Mapping[str, frozenset[str]],
    *,
    certain_tenants: frozenset[str],
    rail: ScheduleRail,
    book: ScheduleBook,
    clock: Callable[[], datetime],
) -> dict[str, str]:
    """Set accounts under a hold to manual, and give back the schedules of those no longer held.

    Args:
        held: Tenants whose decisions hold the account, by account.
        certain_tenants: Tenants whose holds are known to be all in `held`; an account that any
            other was holding keeps what it has.

    Returns:
        What came of each account: a state of the book, `own` (manual by itself: nothing to do),
        `waiting` (an unanswered request may still be heard) or `unclear` (asked again next time).

    Raises:
        JournalError: The book is not intact, or the disk fails.
        PayoutRefused: Another pass is at work.
    """
    results: dict[str, str] = {}
    with book.exclusive():
        last = book.last()
        for account_id in sorted(held.keys() | last.keys()):
            before = last.get(account_id)
            if before is not None and before.state == "returned":
                before = None
            holders = held.get(account_id, frozenset())
            if before is not None:
                holders |= frozenset(before.tenants) - certain_tenants
            step = _Step(account_id, tuple(sorted(holders)), before, rail, book, clock)
            try:
                if account_id in held:
                    results[account_id] = step.hold()
                elif before is not None and holders:
                    step.keep(before)
                elif before is not None:
                    results[account_id] = step.give_back(before)
            except (RailRejected, RailUnclear):
                results[account_id] = "unclear"
    return results


@dataclass(frozen=True)
class _Step:
    """One account's turn in a pass; `before` is None where nothing is owed to it."""

    account_id: str
    tenants: tuple[str, ...]
    before: ScheduleRow | None
    rail: ScheduleRail
    book: ScheduleBook
    clock: Callable[[], datetime]

    def hold(self) -> str:
        before = self.before
        if before is not None and before.state == "left":
            return self.keep(before)
        current = self._shown()
        if current.is_manual:
            if before is None:
                return "own"
            return self.keep(before) if before.state == "held" else self._record("held", before.own)
        if before is not None and before.state == "held":
            return self._record("left", before.own)
        is_again = before is not None and before.state == "taking"
        key = before.key if before is not None and is_again else _new_key()
        if before is None or not is_again or before.own != current:
            self._record("taking", current, key)
        self.book.checkpoint("schedule.taking")
        self.rail.set_payout_schedule(self.account_id, PayoutSchedule(MANUAL), key)
        self.book.checkpoint("schedule.taken")
        # The first try may have been heard, and undone by somebody since.
        if is_again and not self._shown().is_manual:
            return self._record("left", current)
        return self._record("held", current)

    def keep(self, before: ScheduleRow) -> str:
        """The same state, under the tenants that hold it now."""
        if before.tenants != self.tenants:
            self._record(before.state, before.own, before.key)
        return before.state

    def give_back(self, before: ScheduleRow) -> str:
        if before.state == "left":
            return self._record("returned", before.own)
        current = self._shown()
        if not current.is_manual:
            # Never heard, given back by a pass that died, or changed by others: theirs stays.
            if before.state == "taking" and self.clock() - before.at < LATEST_ARRIVAL:
                return "waiting"
            return self._record("returned", before.own)
        key = before.key
        if before.state != "returning":
            key = _new_key()
            self._record("returning", before.own, key)
        self.book.checkpoint("schedule.returning")
        self.rail.set_payout_schedule(self.account_id, before.own, key)
        self.book.checkpoint("schedule.given")
        return self._record("returned", before.own)

    def _shown(self) -> PayoutSchedule:
        schedule = self.rail.payout_schedule(self.account_id)
        self.book.checkpoint("schedule.read")
        return schedule

    def _record(self, state: str, own: PayoutSchedule, key: str = "") -> str:
        at = self.clock()
        self.book.record(ScheduleRow(self.account_id, self.tenants, state, own, key, at))
        return state


def _new_key() -> str:
    return f"tieout_schedule_{uuid4().hex}"


def _decode(body: Mapping[str, Any]) -> ScheduleRow:
    try:
        own = body["own"]
        if body["state"] not in STATES:
            raise ValueError(body["state"])
        return ScheduleRow(
            account_id=str(body["account_id"]),
            tenants=tuple(map(str, body["tenants"])),
            state=str(body["state"]),
            own=PayoutSchedule(
                str(own["interval"]),
                tuple(own["weekly_payout_days"]),
                tuple(own["monthly_payout_days"]),
            ),
            key=str(body["key"]),
            at=datetime.fromisoformat(body["at"]),
        )
    except (ValueError, TypeError, KeyError):
        raise JournalError(
            got="a line of journal/schedules.jsonl whose fields are no schedule row",
            expected="rows as Tieout writes them",
            remedy="Keep the file and compare it with the accounts at the rail",
            code="journal_contradiction",
        ) from None
