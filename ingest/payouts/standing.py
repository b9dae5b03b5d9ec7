"""Where one payout stands, folded from its journal rows.

Belongs here: the row, the legal order of rows, and the questions enforcement asks of a payout's
past. Does not belong here: files, locks, or the rail. The same fold runs when the journal is read
and before a row is added, so a journal that contradicts itself can neither be written nor
believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ingest.errors import JournalError

__all__ = ["BINDING_MISMATCH", "STATES", "JournalRow", "Standing", "advance"]

STATES: Final = ("intent", "submitted", "failed", "unknown", "refused", "dry_run")
BINDING_MISMATCH: Final = "PAYOUT_BINDING_MISMATCH"


@dataclass(frozen=True)
class JournalRow:
    """One row of the payout journal.

    Attributes:
        attempt: Number of the idempotency key in use; 0 where we never asked the rail ourselves.
        state: intent before a call; submitted, failed or unknown after it; refused or dry_run
        without.
        amount_cents: Frozen at the intent, in minor units of `currency`.
        rail_at: The rail's own clock right before an intent's call, so that waiting can be measured
            by a clock we cannot turn.
        source_ids: What the payout consumes; only rows that start something carry it.
        seq: Position in the journal; 0 until written.
    """

    payout_key: str
    tenant_id: str
    operation_id: str
    attempt: int
    idempotency_key: str | None
    state: str
    transfer_id: str | None
    amount_cents: int
    currency: str
    destination_account_id: str | None
    provider_id: str
    party_id: str
    period: str
    decision_sha256: str
    livemode: bool
    recovery_cents: int
    reason_code: str | None
    at: datetime
    rail_at: datetime | None = None
    source_ids: tuple[str, ...] = ()
    seq: int = 0

    @property
    def frozen(self) -> tuple[object, ...]:
        """What no later row of the same attempt may change."""
        return (
            self.tenant_id,
            self.operation_id,
            self.provider_id,
            self.party_id,
            self.period,
            self.idempotency_key,
            self.amount_cents,
            self.recovery_cents,
            self.currency.casefold(),
            self.destination_account_id,
            self.livemode,
        )


@dataclass(frozen=True)
class Standing:
    """Where a payout stands.

    Attributes:
        state: As `Journal.state` reports it.
        row: The row that brought it there.
        attempt: Highest attempt number used so far.
        first_sent: First intent of that attempt, None before any.
        last_sent: Latest intent of that attempt; later than `first_sent` when it was asked again.
        source_ids: Everything any of its rows consumes.
        live_since: When it first claimed its party and period; None while it claims nothing.
    """

    state: str
    row: JournalRow
    attempt: int
    first_sent: JournalRow | None = None
    last_sent: JournalRow | None = None
    source_ids: frozenset[str] = frozenset()
    live_since: datetime | None = None

    @property
    def is_open(self) -> bool:
        """A call may have been made whose outcome is not known."""
        return self.state in ("intent", "unknown")

    @property
    def is_blocked(self) -> bool:
        """The rail holds something else than what was intended: a person must look."""
        return self.state == "refused" and self.row.reason_code == BINDING_MISMATCH

    @property
    def is_live(self) -> bool:
        """Paid, possibly paid, or blocked: nothing else may be paid in its place."""
        return self.is_open or self.state == "submitted" or self.is_blocked

    @property
    def was_asked_again(self) -> bool:
        """The current attempt has more than one intent."""
        return self.first_sent is not None and self.last_sent is not self.first_sent


def advance(before: Standing | None, row: JournalRow) -> Standing:
    """Return the standing after `row`.

    Raises:
        JournalError: When the row cannot follow; this is what makes a second payment unwritable.
    """
    if before is not None and before.row.tenant_id != row.tenant_id:
        raise _illegal(before, row)
    quiet = row.state == "dry_run" or (
        row.state == "refused" and row.reason_code != BINDING_MISMATCH
    )
    if quiet:
        return _note(before, row)
    if before is not None and (before.state == "submitted" or before.is_blocked):
        raise _illegal(before, row)
    sources = (before.source_ids if before else frozenset()) | frozenset(row.source_ids)
    if row.state == "intent":
        return replace(_send(before, row), source_ids=sources)
    if row.state in ("failed", "unknown") and not _closes(before, row):
        raise _illegal(before, row)
    opened = before if before is not None and before.is_open else None
    if row.state == "submitted" and opened is not None and not _closes(opened, row):
        raise _illegal(before, row)
    return Standing(
        state=row.state,
        row=row,
        attempt=before.attempt if before else row.attempt,
        first_sent=before.first_sent if before else None,
        last_sent=before.last_sent if before else None,
        source_ids=sources,
        live_since=None if row.state == "failed" else (opened and opened.live_since) or row.at,
    )


def _note(before: Standing | None, row: JournalRow) -> Standing:
    """A dry run or a plain refusal moved nothing: it only shows where nothing else happened."""
    if before is None or (before.state in ("dry_run", "refused") and not before.is_blocked):
        return Standing(state=row.state, row=row, attempt=0)
    return before


def _send(before: Standing | None, row: JournalRow) -> Standing:
    if before is not None and before.is_open and before.last_sent is not None:
        # Asking again under the same key must ask for exactly the same thing.
        if row.attempt != before.attempt or row.frozen != before.last_sent.frozen:
            raise _illegal(before, row)
        return replace(before, state="intent", row=row, last_sent=row)
    if row.attempt != (before.attempt if before else 0) + 1:
        raise _illegal(before, row)
    return Standing("intent", row, row.attempt, row, row, live_since=row.at)


def _closes(before: Standing | None, row: JournalRow) -> bool:
    """Tell whether the row is an outcome of the open attempt and changes nothing frozen."""
    if before is None or not before.is_open or before.last_sent is None:
        return False
    return row.attempt == before.attempt and row.frozen == before.last_sent.frozen


def _illegal(before: Standing | None, row: JournalRow) -> JournalError:
    was = f"{before.state} (attempt {before.attempt})" if before else "nothing"
    return JournalError(
        got=f"{row.state} (attempt {row.attempt}) after {was} for payout {row.payout_key}",
        expected="a row that continues the payout's own attempt without changing what it froze",
        remedy="Stop payouts and compare the journal with the rail",
        code="journal_contradiction",
    )
