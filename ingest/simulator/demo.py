"""The demo: three design partners, three full months and the first days of a fourth.

Belongs here: who the partners are, how much they sell and when a month is closed and paid.
Does not belong here: any act or artifact, or the faults that the demo shows (demo_faults.py).

Aurora is clean: its third month is released. Birch's second month was paid too much to one party
and twice to another, and two smaller faults lie in its first. Cobalt lost a dispute (its payout is
netted), got a transfer nobody instructed, and its daily limit leaves no room for its euro party.
The kernel paid the first two months one day after their close; the third is Tieout's to pay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from ingest.simulator.demo_faults import birch_pays, cobalt_disputes, expect_gates, expect_payout
from ingest.simulator.holds import refund_hold, release_hold
from ingest.simulator.kernel_artifacts import digest
from ingest.simulator.month_end import Payout, close_month, pay, request_payout
from ingest.simulator.partner import Partner, Party, Sale
from ingest.simulator.sales import SaleTerms, sell
from ingest.simulator.world_state import World, next_month, period_start

__all__ = ["plant_demo"]

_FIRST_NAMES: Final = ("Maren", "Ilyas", "Odile", "Tomasz", "Yuki", "Brisa", "Anouk", "Kofi")
_LAST_NAMES: Final = ("Halvorsen", "Quispe", "Vandermeer", "Okonkwo", "Lindqvist", "Sarkissian")
_CHALLENGE_DAYS: Final = 12
_LONG_CHALLENGE_DAYS: Final = 100
_OPEN_SALES: Final = 6
# One sale in so many is special, at the given remainder of its place in the month.
_IN_HALF: Final = (13, 7)
_REFUSED: Final = (29, 11)
_HELD: Final = (10, 3)
_X402: Final = (8, 5)
# The place in the month of the held sale whose hold birch's customer wins back.
_CONTESTED: Final = 23
# The place of the held sale with a window so long that some holds are open at any anchor.
_LONG_HELD: Final = 13


@dataclass(frozen=True, slots=True)
class _PartyPlan:
    """A party of the demo: its sales a month and their least and greatest amounts in cents."""

    name: str
    sales: int
    currency: str = "USD"
    country: str = "US"
    least_cents: int = 2_500
    spread_cents: int = 30_000


@dataclass(frozen=True, slots=True)
class _Plan:
    """A partner of the demo; `metadata_prefix` is old where it was not upgraded."""

    tenant_id: str
    parties: tuple[_PartyPlan, ...]
    chargeback_mode: str = "hold"
    metadata_prefix: str = "nooterra"


_PLANS: Final = (
    _Plan("tenant_aurora", (_PartyPlan("north", 52), _PartyPlan("south", 40))),
    _Plan(
        "tenant_birch",
        (_PartyPlan("grove", 36), _PartyPlan("leaf", 34), _PartyPlan("root", 30)),
        metadata_prefix="settld",
    ),
    _Plan(
        "tenant_cobalt",
        (
            _PartyPlan("anvil", 40),
            _PartyPlan("bellows", 30),
            # Chisel sells few but dear, so that its payout is the largest and meets the limit.
            _PartyPlan("chisel", 30, "EUR", "DE", least_cents=18_000, spread_cents=25_000),
        ),
        chargeback_mode="net",
    ),
)


def plant_demo(world: World) -> None:
    """Plant the demo into a fresh world; see the module's charter."""
    opened_at = period_start(world.months[0])
    world.rail.top_up(2_000_000, at=opened_at)
    world.rail.top_up(800_000, at=opened_at, currency="eur")
    calendars = [_Calendar(world, plan, opened_at) for plan in _PLANS]
    for calendar in calendars:
        calendar.schedule()
    _schedule_banks(world)
    cobalt = calendars[-1]
    cobalt_disputes(world, cobalt.partner, cobalt.parties[0], cobalt.parties[1])
    world.run_agenda()
    payable = [payout for calendar in calendars for payout in calendar.payouts[world.months[-1]]]
    largest = next(payout for payout in payable if payout.party == cobalt.parties[2])
    cobalt.partner.controls["dailyPayoutLimitCents"] = largest.amount_cents - 1
    expect_gates(world, payable)


def _number(*parts: object) -> int:
    """Return a number that follows from the parts alone."""
    return int(digest([str(part) for part in parts])[:12], 16)


def _chosen(index: int, rule: tuple[int, int]) -> bool:
    every, remainder = rule
    return index % every == remainder


def _personal(number: int) -> dict[str, str]:
    """Return an invented customer whose data must never reach the warehouse's disk."""
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number // 8 % len(_LAST_NAMES)]
    return {
        "name": f"{first} {last}",
        "email": f"{first}.{last}{number % 997}@customers.example".lower(),
        "phone": f"+1 555 01{number % 90 + 10} {number % 9000 + 1000}",
        "line1": f"{number % 400 + 1} Juniper Crescent",
        "city": "Wexholm",
        "postal_code": f"{number % 90_000 + 10_000}",
        "last4": f"{number % 9000 + 1000}",
        "fingerprint": f"fpPlanted{number % 999_983:06d}",
    }


class _Calendar:
    """What one partner of the demo does, put on the world's agenda."""

    def __init__(self, world: World, plan: _Plan, opened_at: datetime) -> None:
        self.world = world
        self.plan = plan
        self.partner: Partner = world.add_partner(
            plan.tenant_id, opened_at=opened_at, metadata_prefix=plan.metadata_prefix
        )
        self.parties: list[Party] = [
            self.partner.add_party(party.name, currency=party.currency, country=party.country)
            for party in plan.parties
        ]
        self.payouts: dict[str, list[Payout]] = {}
        self.partner.profile = {"payer": "tieout", "pay_from_period": world.months[-1]}
        self.partner.controls["chargebacks"] = {
            "schemaVersion": "MoneyRailChargebackPolicy.v1",
            "enabled": True,
            "negativeBalanceMode": plan.chargeback_mode,
            "maxOutstandingCents": None,
        }

    def schedule(self) -> None:
        """Put three months and the open one on the agenda."""
        world = self.world
        for period in world.months:
            self._schedule_month(period)
        for period in world.months[:2]:
            closed_at = world.closes_at(period)
            world.later(closed_at, partial(self._close, period, closed_at))
            world.later(closed_at + timedelta(days=1), partial(self._pay, period))
        last = world.months[-1]
        closed_at = world.fresh_close(last)
        world.later(closed_at, partial(self._close, last, closed_at))
        world.later(closed_at + timedelta(hours=1), partial(self._request, last))
        self._schedule_open_days(next_month(last))

    def _schedule_month(self, period: str) -> None:
        start = period_start(period)
        days = (period_start(next_month(period)) - start).days
        for party, plan in zip(self.parties, self.plan.parties, strict=True):
            for index in range(plan.sales):
                number = _number(self.world.seed, self.plan.tenant_id, plan.name, period, index)
                # Spread over the month, between 06:00 and 22:00, at a second of its own.
                day = index * days // plan.sales
                at = start + timedelta(days=day, hours=6, seconds=number % 57_600)
                self.world.later(at, partial(self._sell, party, plan, number, index, at))

    def _schedule_open_days(self, period: str) -> None:
        start, latest = period_start(period), self.world.anchor - timedelta(hours=1)
        for party, plan in zip(self.parties, self.plan.parties, strict=True):
            for index in range(_OPEN_SALES):
                number = _number(self.world.seed, party.account_id, period, index)
                at = start + timedelta(hours=8 + 7 * index, seconds=number % 3_600)
                if at < latest:
                    self.world.later(at, partial(self._sell, party, plan, number, index, at))

    def _sell(self, party: Party, plan: _PartyPlan, number: int, index: int, at: datetime) -> None:
        amount_cents = plan.least_cents + number % plan.spread_cents
        personal = _personal(number)
        terms = SaleTerms(personal=personal, x402=_chosen(index, _X402))
        if _chosen(index, _IN_HALF):
            terms = SaleTerms(personal=personal, released_cents=amount_cents // 2)
        elif _chosen(index, _REFUSED):
            terms = SaleTerms(personal=personal, released_cents=0)
        elif _chosen(index, _HELD):
            days = _LONG_CHALLENGE_DAYS if index == _LONG_HELD else _CHALLENGE_DAYS
            terms = SaleTerms(personal=personal, challenge_days=days)
        sale = sell(self.partner, party, amount_cents, at=at, terms=terms)
        if sale.hold is not None:
            contested = index == _CONTESTED
            self._schedule_resolution(sale, terms.challenge_days, contested=contested)

    def _schedule_resolution(self, sale: Sale, days: int, *, contested: bool) -> None:
        """Resolve a hold after its window: by adjustment, silently, or to the customer."""
        at = sale.settled_at + timedelta(days=days, hours=2)
        if contested and self.plan.tenant_id == "tenant_birch":
            opened_at = sale.settled_at + timedelta(days=3)
            act: Any = partial(refund_hold, self.partner, sale, opened_at=opened_at, at=at)
        else:
            adjusted = sale.number % 2 == 0
            act = partial(release_hold, self.partner, sale, at=at, adjusted=adjusted)
        self.world.later(at, act)

    def _close(self, period: str, closed_at: datetime) -> None:
        self.payouts[period] = close_month(self.partner, period, closed_at=closed_at)

    def _pay(self, period: str) -> None:
        for number, payout in enumerate(self.payouts[period]):
            if self.plan.tenant_id == "tenant_birch":
                birch_pays(self.world, self.partner, payout)
            else:
                # The rail sends no event for a paid transfer, so some operations stay submitted.
                pay(self.partner, payout, confirmed=number % 2 == 0)

    def _request(self, period: str) -> None:
        for payout in self.payouts[period]:
            at = payout.close.closed_at + timedelta(hours=1)
            request_payout(self.partner, payout, at=at)
            expect_payout(self.world, payout, "TIMING", payout.amount_cents, outcome="pending")


def _schedule_banks(world: World) -> None:
    """Sweep the platform and the parties to their banks after each paid month; top up again."""
    parties = [party for partner in world.partners.values() for party in partner.parties.values()]
    for period in world.months[1:]:
        swept_at = period_start(period) + timedelta(days=2, hours=9)
        for party in parties:
            world.later(swept_at, partial(_sweep_party, world, party, swept_at))
        for currency, float_cents in (("usd", 600_000), ("eur", 250_000)):
            sweep = partial(
                world.rail.create_payout, None, at=swept_at, currency=currency, automatic=True
            )
            refilled_at = swept_at + timedelta(hours=1)
            refill = partial(world.rail.top_up, float_cents, at=refilled_at, currency=currency)
            world.later(swept_at, sweep)
            world.later(refilled_at, refill)


def _sweep_party(world: World, party: Party, at: datetime) -> None:
    currency = party.currency.lower()
    if world.rail.available_cents(party.account_id, currency=currency, at=at) > 0:
        world.rail.create_payout(
            None, at=at, currency=currency, account=party.account_id, automatic=True
        )
