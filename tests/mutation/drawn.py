"""Tenants without a fault, drawn from a seed, in which money moves in every way it rightly may.

Belongs here: sales, holds, refunds, disputes and payments at any second of two months, in
currencies of none, two and three decimals. Does not belong here: any fault, and what a fixed clean
tenant holds (clean.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from ingest.simulator.errors import RailError
from ingest.simulator.holds import refund_hold, release_hold
from ingest.simulator.month_end import Payout, pay, reverse, send
from ingest.simulator.partner import Party, Sale
from ingest.simulator.sales import SaleTerms, sell
from ingest.simulator.scene import Scene
from ingest.simulator.world_state import World, next_month, period_start, previous_month

__all__ = ["CURRENCIES", "plant_random"]

# A party has one currency; the rail moves dinars in tens of their thousandths.
CURRENCIES = {"USD": "US", "EUR": "DE", "JPY": "JP", "BHD": "BH"}
_NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")
_SETTLED_DAYS = 11
_SECOND = timedelta(seconds=1)


def plant_random(world: World, tenant_id: str, random: Random) -> Scene:
    """A tenant of one to five parties over two closed months and what went on after them."""
    scene = Scene(world, tenant_id, "random", settled_days=_SETTLED_DAYS, parties=())
    for name in _NAMES[: random.choice([1, 2, 2, 3, 3, 5])]:
        currency = random.choice(["USD", "USD", *CURRENCIES])
        scene.parties.append(
            scene.partner.add_party(name, currency=currency, country=CURRENCIES[currency])
        )
    held: list[Sale] = []
    for period in (previous_month(scene.period), scene.period):
        # Holds of the month before are resolved in this one, whose close then pays them.
        held = _resolved(scene, random, held, period)
        held += _month_of_sales(world, scene, random, period)
        for payout in scene.close_all(period=period):
            _pay(scene, random, payout)
    _sweep_to_banks(world, random, scene.parties)
    return scene


def _any_second(random: Random, period: str) -> datetime:
    """A second of a month, often one of its edges."""
    start, end = period_start(period), period_start(next_month(period))
    edges = [start, start + _SECOND, end - _SECOND, end - timedelta(minutes=10)]
    if random.random() < 0.2:
        return random.choice(edges)
    return start + random.randrange(int((end - start) / _SECOND)) * _SECOND


def _month_of_sales(world: World, scene: Scene, random: Random, period: str) -> list[Sale]:
    times = sorted(_any_second(random, period) for _ in range(random.randint(1, 12)))
    sales = [_sale(world, scene, random, random.choice(scene.parties), at) for at in times]
    return [sale for sale in sales if sale.hold is not None and sale.hold["heldAmountCents"] > 0]


def _sale(world: World, scene: Scene, random: Random, party: Party, at: datetime) -> Sale:
    amount = random.choice(
        [random.randint(1, 99), random.randint(100, 90_000), random.randint(10**6, 10**9)]
    )
    fate = random.random()
    released, days = amount, 0
    if fate < 0.25:
        released = random.choice([0, 1, amount, random.randint(0, amount)])
    elif fate < 0.5:
        days = random.choice([1, 7, 30, 90])
    in_parts = released < amount and random.random() < 0.5
    terms = SaleTerms(
        released_cents=min(released, amount),
        challenge_days=days,
        x402=not days and random.random() < 0.2,
        refund_on_rail=not in_parts,
    )
    sale = sell(scene.partner, party, amount, at=at, terms=terms)
    if in_parts:
        _refund_in_parts(world, random, sale, amount - sale.released_cents)
    elif fate > 0.75:
        _dispute(world, random, sale)
    return sale


def _refund_in_parts(world: World, random: Random, sale: Sale, cents: int) -> None:
    """Several refunds, of which the first may fail, come back and be made again."""
    at = sale.settled_at + timedelta(minutes=random.randint(1, 600))
    first = random.randint(1, cents)
    if random.random() < 0.4:
        failed = world.rail.refund(sale.charge_id, first, at=at)
        at += timedelta(hours=random.randint(1, 30))
        world.rail.resolve_refund(failed["id"], random.choice(["failed", "canceled"]), at=at)
    for size in (first, cents - first):
        at += timedelta(minutes=random.randint(1, 60))
        if size:
            world.rail.refund(sale.charge_id, size, at=at)


def _dispute(world: World, random: Random, sale: Sale) -> None:
    rail, charge_id = world.rail, sale.charge_id
    at = min(sale.settled_at + timedelta(hours=random.randint(1, 900)), world.anchor - 5 * _SECOND)
    fee = random.choice([0, 15, 1_500])
    part = random.choice([None, None, random.randint(1, sale.amount_cents)])
    inquiry = random.random() < 0.3
    status = "warning_needs_response" if inquiry else "needs_response"
    made = rail.open_dispute(charge_id, at=at, amount=part, fee=fee, status=status)
    at = min(at + timedelta(hours=random.randint(1, 400)), world.anchor - 3 * _SECOND)
    if inquiry and random.random() < 0.5:
        rail.close_dispute(made["id"], "warning_closed", at=at)
        return
    if inquiry or random.random() < 0.4:
        rail.move_dispute(made["id"], "under_review", at=at, fee=fee)
    end = random.choice(["open", "won", "lost", "prevented"])
    if end != "open":
        at = min(at + timedelta(hours=random.randint(1, 400)), world.anchor - _SECOND)
        back = random.choice([0, fee]) if end == "won" else 0
        rail.close_dispute(made["id"], end, at=at, fee_returned=back)


def _resolved(scene: Scene, random: Random, held: Sequence[Sale], period: str) -> list[Sale]:
    left = []
    for sale in held:
        at = max(_any_second(random, period), sale.settled_at + _SECOND)
        fate = random.random()
        if fate < 0.4:
            release_hold(scene.partner, sale, at=at, adjusted=random.random() < 0.5)
        elif fate < 0.7:
            refund_hold(scene.partner, sale, opened_at=at - _SECOND, at=at)
        else:
            left.append(sale)
    return left


def _pay(scene: Scene, random: Random, payout: Payout) -> None:
    partner, closed_at = scene.partner, payout.close.closed_at
    unit = 10 if payout.party.currency == "BHD" else 1
    units = payout.amount_cents // unit
    if payout.amount_cents % unit:
        units += random.choice([0, 1]) if units else 1
    at = closed_at + timedelta(seconds=random.randint(0, 9 * 86_400))
    parts = min(random.choice([1, 1, 1, 2, 3, 7]), units)
    cuts = sorted(random.sample(range(1, units), parts - 1))
    sizes = [(b - a) * unit for a, b in zip([0, *cuts], [*cuts, units], strict=True)]
    pay(partner, payout, at=at, sent_cents=sizes[0], confirmed=random.random() < 0.7)
    for number, size in enumerate(sizes[1:], start=1):
        send(partner, payout, size, at=at + timedelta(minutes=number))
    if parts == 1 and random.random() < 0.15:
        _recall(scene, random, payout, units * unit, at + timedelta(hours=random.randint(1, 60)))


def _recall(scene: Scene, random: Random, payout: Payout, sent: int, at: datetime) -> None:
    """The whole transfer is taken back, in one or two parts, and the kernel knows."""
    first = random.randint(1, sent)
    if first < sent:
        reverse(scene.partner, payout, first, at=at)
    reverse(scene.partner, payout, at=at + timedelta(minutes=1), booked=True)


def _sweep_to_banks(world: World, random: Random, parties: Sequence[Party]) -> None:
    for party in parties:
        if random.random() < 0.5:
            continue
        at = world.anchor - timedelta(hours=random.randint(1, 200))
        named = {"account": party.account_id, "currency": party.currency.lower()}
        try:
            made = world.rail.create_payout(None, at=at, automatic=True, **named)
        except RailError:
            continue  # Nothing was available, or less than nothing.
        if random.random() < 0.3:
            world.rail.fail_payout(made["id"], at=at + timedelta(minutes=1))
