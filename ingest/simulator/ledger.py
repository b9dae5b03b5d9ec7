"""The double-entry ledger under the rail: the only place where money moves.

Belongs here: entries whose postings sum to zero per currency, and the balances they add up to.
A `Leg` is the posting of a Stripe account together with what its balance transaction says; an
outside posting is the world beyond (customers, banks, Stripe's fees, currency exchange).
Does not belong here: Stripe objects, HTTP, or any rule about when money may move.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["PAYMENTS", "Entry", "FeePart", "Ledger", "Leg", "Posting", "Unbalanced"]

PAYMENTS = "payments"
_DAY_SECONDS = 86_400


class Unbalanced(Exception):
    """An entry whose postings do not sum to zero in some currency; a fault of the simulator."""


@dataclass(frozen=True, slots=True)
class FeePart:
    """One line of `fee_details`: what was kept, by whom."""

    amount: int
    kind: str
    description: str
    application: str | None = None


@dataclass(frozen=True, slots=True)
class Leg:
    """What one Stripe account sees of a movement: the facts of one balance transaction."""

    txn_id: str
    holder: str
    currency: str
    amount: int
    fees: tuple[FeePart, ...]
    kind: str
    reporting_category: str
    source: str | None
    created: int
    available_on: int
    description: str | None = None
    exchange_rate: str | None = None
    balance_type: str = PAYMENTS

    @property
    def fee(self) -> int:
        return sum(part.amount for part in self.fees)

    @property
    def net(self) -> int:
        return self.amount - self.fee


@dataclass(frozen=True, slots=True)
class Posting:
    """A signed amount on one party of an entry; `outside:` names are not Stripe accounts."""

    party: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement: legs on Stripe accounts and postings outside, zero per currency."""

    number: int
    reason: str
    legs: tuple[Leg, ...]
    outside: tuple[Posting, ...]

    def postings(self) -> Iterator[Posting]:
        """Yield every posting, legs at their net amount."""
        for leg in self.legs:
            yield Posting(leg.holder, leg.currency, leg.net)
        yield from self.outside


class _Account:
    """Sums of one (holder, currency, balance type), by the second they become available."""

    __slots__ = ("by_day", "by_second", "total")

    def __init__(self) -> None:
        self.total = 0
        self.by_day: dict[int, int] = defaultdict(int)
        self.by_second: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, amount: int, available_on: int) -> None:
        day = available_on // _DAY_SECONDS
        self.total += amount
        self.by_day[day] += amount
        self.by_second[day][available_on] += amount

    def available(self, at: int) -> int:
        today = at // _DAY_SECONDS
        whole = sum(amount for day, amount in self.by_day.items() if day < today)
        seconds = self.by_second.get(today, {})
        return whole + sum(amount for second, amount in seconds.items() if second <= at)


class Ledger:
    """Append-only entries and the balances that follow from them."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._accounts: dict[tuple[str, str, str], _Account] = defaultdict(_Account)

    def post(self, reason: str, legs: Sequence[Leg], outside: Sequence[Posting]) -> Entry:
        """Append one movement.

        Raises:
            Unbalanced: the postings of a currency do not sum to zero; nothing is recorded.
        """
        entry = Entry(len(self.entries), reason, tuple(legs), tuple(outside))
        sums: dict[str, int] = defaultdict(int)
        for posting in entry.postings():
            sums[posting.currency] += posting.amount
        off = {currency: amount for currency, amount in sums.items() if amount}
        if off:
            raise Unbalanced(f"{reason}: got sums {off}, expected zero per currency")
        self.entries.append(entry)
        for leg in entry.legs:
            key = (leg.holder, leg.currency, leg.balance_type)
            self._accounts[key].add(leg.net, leg.available_on)
        return entry

    def available(self, holder: str, currency: str, at: int, balance_type: str = PAYMENTS) -> int:
        """Return what is available to a holder at unix second `at`, in minor units."""
        account = self._accounts.get((holder, currency, balance_type))
        return 0 if account is None else account.available(at)

    def total(self, holder: str, currency: str, balance_type: str = PAYMENTS) -> int:
        """Return available plus pending of a holder, in minor units."""
        account = self._accounts.get((holder, currency, balance_type))
        return 0 if account is None else account.total

    def currencies(self, holder: str, balance_type: str = PAYMENTS) -> list[str]:
        """Return the currencies a holder ever held, sorted."""
        return sorted(
            currency
            for who, currency, kind in self._accounts
            if who == holder and kind == balance_type
        )
