"""A payment rail in memory, with the faults that make paying hard.

Belongs here: Stripe's idempotency as documented (an outcome is kept under its key for 24 hours,
server errors included; rejections before execution are not kept), late visibility, requests that
arrive late, cut connections. Does not belong here: anything of enforcement; it is the other side.
"""

from __future__ import annotations

from collections import Counter, deque
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
    "idempotency_conflict",
    "429",
    "unparseable_after_acting",
    "late_arrival",
    "late_visible",
    "rejected",
)
STORM = 3
# What the rail answers, or does not, without having looked at the request.
UNASKED: dict[str | None, Callable[[], Exception]] = {
    "cut_before": lambda: RailUnclear("connection"),
    "409": lambda: RailUnclear("status_409"),
    "idempotency_conflict": lambda: RailUnclear("idempotency_conflict"),
    "429": lambda: RailUnclear("rate_limited"),
    "denied": lambda: RailRejected(401, "invalid_api_key"),
    "rejected": lambda: RailRejected(400, "parameter_invalid"),
}


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
    """See the module's charter; `faults` and `lookup_faults` are used up one per call.

    `befallen` counts what really happened to a request: a fault that was to follow an act counts
    only where the rail acted.
    """

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
    befallen: Counter[str] = field(default_factory=Counter)
    turned_away_in_a_row: int = 0
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
            self.befallen["lookup failed"] += 1
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
        self.turned_away_in_a_row = self.turned_away_in_a_row + 1 if fault == "429" else 0
        if self.turned_away_in_a_row == STORM:
            self.befallen["429 storm"] += 1
        if fault in UNASKED:
            self.befallen[fault] += 1
            raise UNASKED[fault]()
        if fault == "late_arrival":
            self.befallen[fault] += 1
            self._travelling.append((self._now() + self.late_by, intent, idempotency_key))
            raise RailUnclear("connection")
        before = len(self.transfers)
        transfer = self._run(intent, idempotency_key, fault, self._now())
        if fault is not None and len(self.transfers) > before:
            self.befallen[fault] += 1
        if fault == "cut_after":
            raise RailUnclear("connection")
        if fault == "500_after_acting":
            raise RailUnclear("status_500")
        if fault == "unparseable_after_acting":
            raise ValueError("an answer that quotes sk_test_secret")
        return transfer

    def is_on_its_way(self, payout_key: str) -> bool:
        """Tell whether a transfer exists, seen or unseen, or a request for one is travelling."""
        exists = any(t.transfer_group == payout_key for t in self.transfers)
        return exists or any(intent.payout_key == payout_key for _, intent, _ in self._travelling)

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
            self.befallen[fault] += 1
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
