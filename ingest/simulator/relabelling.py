"""Changing what people write on an object: its metadata, and nothing else.

Belongs here: metadata of refunds, disputes and payouts, and the events that follow. Does not belong
here: transfers and accounts, which take more (transfers.py, accounts.py), or any movement of money.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.simulator.books import Books

__all__ = ["EVENTS", "relabel"]

EVENTS: Mapping[str, tuple[str, ...]] = {
    "dispute": ("charge.dispute.updated",),
    "payout": ("payout.updated",),
    "refund": ("refund.updated", "charge.refund.updated"),
}


def relabel(
    books: Books, kind: str, object_id: str, *, at: int, metadata: Mapping[str, str]
) -> dict[str, Any]:
    """Merge metadata; an empty text removes its key."""
    record = books.record(kind, object_id)
    merged = {**record["metadata"], **metadata}
    record["metadata"] = {name: text for name, text in merged.items() if text != ""}
    books.changed(kind, object_id)
    for event in EVENTS[kind]:
        books.event(event, kind, object_id, at=at)
    return books.show(kind, object_id)
