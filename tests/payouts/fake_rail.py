"""A payment rail in memory, with the faults that make paying hard.

Belongs here: Stripe's idempotency as documented (an outcome is kept under its key for 24 hours,
server errors included; rejections before execution are not kept), late visibility, requests that
arrive late, cut connections. Does not belong here: anything of enforcement; it is the other side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingest.payouts.rail import (
    RailIdentity,
    RailListing,
    RailRejected,
    RailTransfer,
    RailUnclear,
    TransferIntent,
)

KEY_LIFETIME = timedelta(hours=24)
CREATE_FAULTS = (
    "cut_before",
    "cut_after",
    "500_without_acting",
    "500_after_acting",
    "409",
    "429",
    "unparseable_after_acting",
    "late_arrival",
    "late_visible",
    "rejected",
)


@dataclass
class Clock:
    """A clock that only the test moves."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class _Kept:
    intent: TransferIntent
    at: datetime
    transfer: RailTransfer | None
    error: str | None


@dataclass
class FakeRail:
    """See the module's charter; `faults` and `lookup_faults` are used up one per call."""

    clock: Callable[[], datetime]
    platform_account_id: str = "acct_platform"
    livemode: bool = False
    clock_offset: timedelta = timedelta(0)
    faults: deque[str] = field(default_factory=deque)
    lookup_faults: deque[str] = field(default_factory=deque)
    late_by: timedelta = timedelta(minutes=10)
    balance_cents: int | None = None
    transfers: list[RailTransfer] = field(default_factory=list)
    creations: list[tuple[TransferIntent, str]] = field(default_factory=list)
    lookups: list[str] = field(default_factory=list)
    _visible_at: dict[str, datetime] = field(default_factory=dict)
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _travelling: list[tuple[datetime, TransferIntent, str]] = field(default_factory=list)

    def _now(self) -> datetime:
        return self.clock() + self.clock_offset

    def identity(self) -> RailIdentity:
        self._arrive()
        return RailIdentity(self.platform_account_id, self.livemode, True, self._now())

    def find_transfers(self, transfer_group: str) -> RailListing:
        self._arrive()
        self.lookups.append(transfer_group)
        if self.lookup_faults:
            raise RailUnclear(self.lookup_faults.popleft())
        now = self._now()
        rows = tuple(
            transfer
            for transfer in self.transfers
            if transfer.transfer_group == transfer_group
            and self._visible_at[transfer.transfer_id] <= now
        )
        return RailListing(rows, now)

    def create_transfer(self, intent: TransferIntent, idempotency_key: str) -> RailTransfer:
        self._arrive()
        self.creations.append((intent, idempotency_key))
        fault = self.faults.popleft() if self.faults else None
        if fault == "cut_before":
            raise RailUnclear("connection")
        if fault == "409":
            raise RailUnclear("status_409")
        if fault == "429":
            raise RailUnclear("rate_limited")
        if fault == "denied":
            raise RailRejected(401, "invalid_api_key")
        if fault == "rejected":
            raise RailRejected(400, "parameter_invalid")
        if fault == "late_arrival":
            self._travelling.append((self._now() + self.late_by, intent, idempotency_key))
            raise RailUnclear("connection")
        transfer = self._run(intent, idempotency_key, fault, self._now())
        if fault in ("cut_after", "500_after_acting"):
            raise RailUnclear("connection")
        if fault == "unparseable_after_acting":
            raise ValueError("an answer that quotes sk_test_secret")
        return transfer

    def _run(
        self, intent: TransferIntent, key: str, fault: str | None, now: datetime
    ) -> RailTransfer:
        kept = self._kept.get(key)
        if kept is not None and now - kept.at < KEY_LIFETIME:
            if kept.intent != intent:
                raise RailUnclear("idempotency_conflict")
            if kept.error is not None or kept.transfer is None:
                raise RailUnclear(kept.error or "status_500")
            return kept.transfer
        if fault == "500_without_acting":
            self._kept[key] = _Kept(intent, now, None, "status_500")
            raise RailUnclear("status_500")
        if self.balance_cents is not None:
            if intent.amount_cents > self.balance_cents:
                raise RailRejected(400, "balance_insufficient")
            self.balance_cents -= intent.amount_cents
        transfer = self.put(intent, now=now, late=fault == "late_visible")
        error = "status_500" if fault == "500_after_acting" else None
        self._kept[key] = _Kept(intent, now, transfer, error)
        return transfer

    def put(
        self, intent: TransferIntent, *, now: datetime | None = None, late: bool = False
    ) -> RailTransfer:
        """Make a transfer exist, whoever asked for it."""
        now = now or self._now()
        transfer = RailTransfer(
            transfer_id=f"tr_{len(self.transfers) + 1:04d}",
            amount_cents=intent.amount_cents,
            currency=intent.currency.lower(),
            destination_account_id=intent.destination_account_id,
            transfer_group=intent.payout_key,
            livemode=self.livemode,
            created_at=now,
            meta_tenant_id=intent.tenant_id,
            meta_payout_key=intent.payout_key,
        )
        self.transfers.append(transfer)
        self._visible_at[transfer.transfer_id] = now + (self.late_by if late else timedelta(0))
        return transfer

    def _arrive(self) -> None:
        """Run the requests that were on their way and have reached the rail by now."""
        due = [item for item in self._travelling if item[0] <= self._now()]
        self._travelling = [item for item in self._travelling if item[0] > self._now()]
        for arrived_at, intent, key in due:
            try:
                self._run(intent, key, None, arrived_at)
            except (RailRejected, RailUnclear):
                continue
