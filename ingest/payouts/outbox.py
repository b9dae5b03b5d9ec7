"""What the kernel should learn back: provider events, in an order its state machine accepts.

Belongs here: `outbox/<tenant>/money_rail_provider_events.jsonl`, its order and its delivery
marks. Does not belong here: sending them, or deciding that a transfer was confirmed or reversed
(landed rail data does that).

The kernel moves an operation initiated -> submitted -> confirmed -> reversed and drops what comes
out of turn, so an event is never written before its predecessors. `failed` is never written: it
is terminal at the kernel, while a rejected attempt of ours may be followed by another. Everything
here can be derived again from the journal and the rail, so a line that a crash cut off is simply
dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ingest.errors import JournalError
from ingest.payouts import durable
from ingest.payouts.journal import Journal
from ingest.payouts.standing import JournalRow

__all__ = ["EVENT_ORDER", "Outbox", "announce_reached", "announce_submitted"]

EVENT_ORDER: Final = ("submitted", "confirmed", "reversed")
_MAX_BYTES: Final = 512 * 1024 * 1024
_LOCK_WAIT_SECONDS: Final = 10.0


class Outbox:
    """The outbox of one tenant in one home."""

    def __init__(self, home: Path, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self._folder = home / "outbox" / tenant_id
        self.path = self._folder / "money_rail_provider_events.jsonl"
        self._delivered_path = self._folder / "delivered.jsonl"

    def events(self) -> list[dict[str, Any]]:
        """Return all events, oldest first; `seq` counts from 1."""
        return _read(self.path)

    def pending(self) -> list[dict[str, Any]]:
        """Return the events not yet marked as delivered, in the order to deliver them."""
        delivered = {mark["seq"] for mark in _read(self._delivered_path)}
        return [event for event in self.events() if event["seq"] not in delivered]

    def mark_delivered(self, seq: int, at: datetime) -> None:
        """Remember that the kernel has accepted the event; doing it twice is a no-op."""
        with self._locked():
            marks = _read(self._delivered_path)
            if seq not in {mark["seq"] for mark in marks}:
                _append(self._delivered_path, marks, [{"seq": seq, "at": _iso(at)}])

    def reach(
        self, event_type: str, row: JournalRow, *, at: datetime, reason_code: str | None = None
    ) -> int:
        """Write that a submitted payout came as far as `event_type`; return the events added.

        Predecessors that are missing are written first, dated the same; what is there already is
        not written again. A partly reversed transfer is not `reversed`.

        Args:
            event_type: submitted, confirmed or reversed.
            row: The payout's submitted row, which names operation and transfer.
            at: When the rail reached it.

        Raises:
            JournalError: When the file is damaged or names another transfer for the operation.
        """
        wanted = EVENT_ORDER[: EVENT_ORDER.index(event_type) + 1]
        with self._locked():
            events = _read(self.path)
            known = [event for event in events if event["operationId"] == row.operation_id]
            if any(event["providerRef"] != row.transfer_id for event in known):
                raise _damaged(self.path, f"another transfer for operation {row.operation_id}")
            reached = {event["eventType"] for event in known}
            fresh = [
                self._event(kind, row, at, reason_code if kind == event_type else None)
                for kind in wanted
                if kind not in reached
            ]
            for offset, event in enumerate(fresh, start=len(events) + 1):
                event["seq"] = offset
            if fresh:
                _append(self.path, events, fresh)
            return len(fresh)

    def _event(
        self, event_type: str, row: JournalRow, at: datetime, reason_code: str | None
    ) -> dict[str, Any]:
        event_id = f"tieout_{event_type}_{row.transfer_id}"
        return {
            "schemaVersion": "MoneyRailProviderEvent.v1",
            "tenantId": row.tenant_id,
            "providerId": row.provider_id,
            "operationId": row.operation_id,
            "eventType": event_type,
            "eventId": event_id,
            "eventDedupeKey": f"{event_type}\n{event_id}",
            "at": _iso(at),
            "providerRef": row.transfer_id,
            "reasonCode": reason_code,
            "payload": {
                "payoutKey": row.payout_key,
                "transferId": row.transfer_id,
                "destinationAccountId": row.destination_account_id,
                "amountCents": row.amount_cents,
                "currency": row.currency,
                "livemode": row.livemode,
            },
        }

    @contextmanager
    def _locked(self) -> Iterator[None]:
        durable.private_folder(self._folder)
        with durable.hold_lock(self._folder / "outbox.lock", _LOCK_WAIT_SECONDS):
            yield


def announce_submitted(journal: Journal, tenant_id: str) -> int:
    """Write the submitted event of every paid payout; return how many were new.

    A payout that a recovery used up has no transfer, and the kernel has no operation for it.
    """
    outbox = Outbox(journal.home, tenant_id)
    announced = {event["operationId"] for event in outbox.events()}
    return sum(
        outbox.reach("submitted", standing.row, at=standing.row.at)
        for standing in journal.standings(tenant_id)
        if standing.state == "submitted"
        and standing.row.transfer_id is not None
        and standing.row.operation_id not in announced
    )


def announce_reached(
    journal: Journal, tenant_id: str, reached: Iterable[tuple[str, str, datetime]]
) -> int:
    """Write how far the rail shows paid payouts to have come; return how many events were new.

    Args:
        reached: Payout key, `confirmed` or `reversed`, and when; what the journal does not know as
            paid is left out.
    """
    outbox = Outbox(journal.home, tenant_id)
    known = {(event["operationId"], event["eventType"]) for event in outbox.events()}
    standings = {s.row.payout_key: s for s in journal.standings(tenant_id)}
    written = 0
    for payout_key, event_type, at in reached:
        standing = standings.get(payout_key)
        if standing is None or standing.state != "submitted" or standing.row.transfer_id is None:
            continue
        if (standing.row.operation_id, event_type) not in known:
            written += outbox.reach(event_type, standing.row, at=at)
    return written


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        data = durable.read_bounded(path, _MAX_BYTES)
    except OSError as error:
        raise _damaged(path, f"unreadable ({type(error).__name__})") from None
    # What follows the last newline was cut off by a crash and is derived again.
    lines = (data or b"").split(b"\n")[:-1]
    try:
        rows = [json.loads(line) for line in lines]
        if not all(isinstance(row["seq"], int) for row in rows):
            raise ValueError("seq")
    except (ValueError, KeyError, TypeError):
        raise _damaged(path, "a line that is no event") from None
    return rows


def _append(path: Path, existing: list[dict[str, Any]], fresh: list[dict[str, Any]]) -> None:
    text = b"".join(_line(row) for row in fresh)
    whole = b"".join(_line(row) for row in existing)
    size = path.stat().st_size if path.exists() else 0
    if size == len(whole):
        durable.append_bytes(path, text)
    else:
        durable.replace_file(path, whole + text)


def _line(row: dict[str, Any]) -> bytes:
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8") + b"\n"


def _iso(moment: datetime) -> str:
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )


def _damaged(path: Path, what: str) -> JournalError:
    return JournalError(
        got=f"{path.name}: {what}",
        expected="one provider event a line, in order",
        remedy="Move the file aside; the next pass writes it again from the journal",
        code="outbox_damaged",
    )
