"""What may be done next with one payout, from its journal and the rail's listing alone.

Belongs here: one pure function and the reasoning behind every repeat. Does not belong here:
calls, files or gates; a plan to send is still subject to all of those.

Why a repeat can be safe. A rail runs one idempotency key once, and remembers the key for at least
24 hours: a second request under the same key is answered with the first one's outcome, whatever
became of it. A listing shows what exists, but a request may still be on its way, or done and not
yet listed. So neither protects alone, and each open attempt (an intent whose outcome is unknown)
passes these stages, counted by our clock and by the rail's, whichever gives the stricter answer:

1. A listed transfer settles it, at any time: adopted when it is what was frozen, blocked when not.
2. Quiet for less than 15 minutes since it was last asked for: wait. The request may be in flight.
3. First asked for less than 23 hours ago: ask again with the same attempt and the same key. If
   the lost request did arrive after all, the rail answers with that transfer; a new key would pay
   twice. An hour is kept back so that a slow request cannot outlive the rail's memory of the key.
4. From then until 24 hours after it was last asked for: wait. The key may or may not still be
   remembered, so an empty listing is all there is, and it is given time to be right.
5. After that: the attempt closes as failed, ABSENT_AT_RAIL. No connection lives that long, and a
   complete listing a day later shows nothing. A later attempt has a new number and a new key.

A payout whose attempt closed, or that was never attempted, may be sent under the next number,
again only if the listing shows nothing: the kernel, another home, or a lost journal may have paid
it.

Stage 3 can be answered with a remembered server error for a whole day (rails store those under
the key too). That costs time and no money: the attempt stays open until stage 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ingest.payouts.rail import RailListing, RailTransfer, TransferIntent, binding_faults
from ingest.payouts.standing import Standing

__all__ = ["ABSENT_AFTER", "QUIET_AFTER", "SAME_KEY_WITHIN", "Plan", "Step", "plan"]

QUIET_AFTER: Final = timedelta(minutes=15)
SAME_KEY_WITHIN: Final = timedelta(hours=23)
ABSENT_AFTER: Final = timedelta(hours=24)


class Step(StrEnum):
    """The next step: record what the rail holds, wait, close an attempt, or ask (gates willing)."""

    ADOPT = "adopt"
    BLOCK = "block"
    WAIT = "wait"
    CLOSE = "close"
    SEND = "send"


@dataclass(frozen=True)
class Plan:
    """The next step, with the transfer to adopt, what is wrong with it, or the attempt to send.

    `rail_now` is the rail's clock at the listing; an intent keeps it.
    """

    step: Step
    rail_now: datetime
    transfer: RailTransfer | None = None
    faults: tuple[str, ...] = ()
    attempt: int = 0


def plan(
    standing: Standing | None, listing: RailListing, expected: TransferIntent, now: datetime
) -> Plan:
    """Choose the next step.

    Args:
        standing: The payout's past, None when it has none.
        listing: Every transfer the rail holds for the payout key, read a moment ago.
        expected: What was frozen for an open attempt, otherwise what is decided now.
        now: Our clock at the listing.
    """
    rail_now = listing.rail_now
    if len(listing.transfers) > 1:
        # Reversed or not: a payout key names one transfer. A person must say which one counts.
        return Plan(Step.BLOCK, rail_now, listing.transfers[0], ("count",))
    if listing.transfers:
        transfer = listing.transfers[0]
        faults = binding_faults(expected, transfer)
        return Plan(Step.BLOCK if faults else Step.ADOPT, rail_now, transfer, faults)
    if standing is None or not standing.is_open:
        return Plan(Step.SEND, rail_now, attempt=(standing.attempt if standing else 0) + 1)
    return _plan_open(standing, now, rail_now)


def _plan_open(standing: Standing, now: datetime, rail_now: datetime) -> Plan:
    first, last = standing.first_sent, standing.last_sent
    if first is None or last is None or first.rail_at is None or last.rail_at is None:
        # Enforcement never writes such an intent; without both clocks nothing can be concluded.
        return Plan(Step.WAIT, rail_now)
    # Waiting is judged by the clock that says less, the key's age by the one that says more: a
    # clock that jumps in either direction can delay a payout, never repeat it.
    quiet = min(now - last.at, rail_now - last.rail_at)
    age = max(now - first.at, rail_now - first.rail_at)
    if quiet < QUIET_AFTER:
        return Plan(Step.WAIT, rail_now)
    if age < SAME_KEY_WITHIN:
        return Plan(Step.SEND, rail_now, attempt=standing.attempt)
    if quiet < ABSENT_AFTER:
        return Plan(Step.WAIT, rail_now)
    return Plan(Step.CLOSE, rail_now, attempt=standing.attempt + 1)
