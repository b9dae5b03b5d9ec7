"""Tenants without a fault, in which every kind of money moves that a fault could touch.

Belongs here: planting them, fixed or drawn from a seed, and naming what is in them. Does not belong
here: any fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from ingest.simulator.holds import refund_hold, release_hold
from ingest.simulator.month_end import Payout, pay, reverse, send
from ingest.simulator.partner import Party, Sale
from ingest.simulator.sales import SaleTerms
from ingest.simulator.scene import Scene
from ingest.simulator.world_state import World, previous_month

__all__ = ["Clean", "plant_clean", "plant_random"]

SETTLED_DAYS = 4


@dataclass
class Clean:
    """One clean tenant and the names of what is in it.

    Attributes:
        paid: A payout paid by one transfer; `split` by two, `recalled` reversed and booked so,
            `euro` in euros.
        plain: A fully released sale of `paid`'s month; `other` is another one.
        part: A sale whose customer got 40.00 back.
        held: A sale whose hold is still held; `freed` was released, `given_back` went to the payer.
        lost, won: Disputes, of the sales `disputed_lost` and `disputed_won`.
        swept: An automatic bank payout of the first party's account.
    """

    scene: Scene
    paid: Payout
    split: Payout
    recalled: Payout
    euro: Payout
    plain: Sale
    other: Sale
    part: Sale
    held: Sale
    freed: Sale
    given_back: Sale
    euro_sale: Sale
    lost: dict[str, Any]
    won: dict[str, Any]
    disputed_lost: Sale
    disputed_won: Sale
    swept: dict[str, Any]

    @property
    def tenant_id(self) -> str:
        return self.scene.tenant_id

    @property
    def alpha(self) -> Party:
        return self.scene.parties[0]

    @property
    def beta(self) -> Party:
        return self.scene.parties[1]


def plant_clean(world: World, tenant_id: str) -> Clean:
    """Two months of a tenant with three parties, all settled long enough to be due."""
    scene = Scene(world, tenant_id, "clean", settled_days=SETTLED_DAYS, parties=("alpha", "beta"))
    partner, alpha, beta = scene.partner, scene.parties[0], scene.parties[1]
    gamma = partner.add_party("gamma", currency="EUR", country="DE")
    first = previous_month(scene.period)

    freed = scene.sell(4, SaleTerms(challenge_days=14), period=first)
    scene.sell(6, period=first)
    scene.sell(8, party=beta, period=first)
    early = {payout.party.party_id: payout for payout in scene.close_all(period=first)}
    pay(partner, early[alpha.party_id])
    recalled = early[beta.party_id]
    pay(partner, recalled)
    reverse(partner, recalled, at=recalled.due_at + timedelta(hours=8), booked=True)

    plain, other, lost_sale, won_sale = (scene.sell(day) for day in (2, 3, 5, 6))
    part = scene.sell(7, SaleTerms(released_cents=6_000), amount_cents=10_000)
    held = scene.sell(9, SaleTerms(challenge_days=90))
    given_back = scene.sell(10, SaleTerms(challenge_days=14))
    scene.sell(11, SaleTerms(x402=True))
    for day in (3, 12, 13):
        scene.sell(day, party=beta)
    euro_sale = scene.sell(14, party=gamma)
    scene.sell(15, party=gamma)
    release_hold(partner, freed, at=scene.at(10))
    refund_hold(partner, given_back, opened_at=scene.at(14), at=scene.at(18))
    lost = world.rail.open_dispute(lost_sale.charge_id, at=scene.at(12), fee=1_500)
    world.rail.close_dispute(lost["id"], "lost", at=scene.at(25))
    won = world.rail.open_dispute(won_sale.charge_id, at=scene.at(12), fee=1_500)
    world.rail.close_dispute(won["id"], "won", at=scene.at(25))

    late = {payout.party.party_id: payout for payout in scene.close_all()}
    paid, split, euro = late[alpha.party_id], late[beta.party_id], late[gamma.party_id]
    pay(partner, paid)
    half = split.amount_cents // 2
    pay(partner, split, sent_cents=half)
    send(partner, split, split.amount_cents - half, at=split.due_at + timedelta(hours=1))
    pay(partner, euro)
    swept = world.rail.create_payout(
        None,
        at=paid.due_at + timedelta(hours=30),
        account=alpha.account_id,
        automatic=True,
    )
    return Clean(
        scene,
        paid,
        split,
        recalled,
        euro,
        plain,
        other,
        part,
        held,
        freed,
        given_back,
        euro_sale,
        lost,
        won,
        lost_sale,
        won_sale,
        swept,
    )


def plant_random(world: World, tenant_id: str, random: Random) -> Scene:
    """A fault-free tenant drawn from a seed: parties, sales, holds, refunds, disputes, splits."""
    names = ["alpha", "beta", "gamma"][: random.randint(1, 3)]
    scene = Scene(world, tenant_id, "random", settled_days=SETTLED_DAYS, parties=names)
    partner = scene.partner
    parties = [*scene.parties]
    if random.random() < 0.3:
        parties.append(partner.add_party("delta", currency="EUR", country="DE"))
    held: list[Sale] = []
    for months_back in (1, 0):
        period = previous_month(scene.period) if months_back else scene.period
        if not months_back:
            for sale in held:
                when = scene.at(random.randint(1, 20), random.randint(0, 23))
                fate = random.random()
                if fate < 0.4:
                    release_hold(partner, sale, at=when, adjusted=random.random() < 0.5)
                elif fate < 0.6:
                    refund_hold(partner, sale, opened_at=when - timedelta(days=1), at=when)
        for _ in range(random.randint(1, 9)):
            _random_sale(world, scene, random, random.choice(parties), period, held)
        for payout in scene.close_all(period=period):
            _random_payment(scene, random, payout)
    return scene


def _random_sale(
    world: World, scene: Scene, random: Random, party: Party, period: str, held: list[Sale]
) -> None:
    amount = random.choice([random.randint(50, 999), random.randint(1_000, 90_000)])
    terms, fate = SaleTerms(x402=random.random() < 0.2), random.random()
    if fate < 0.15:
        terms = SaleTerms(released_cents=random.randint(0, amount))
    elif fate < 0.35:
        terms = SaleTerms(challenge_days=random.choice([7, 30, 90]))
    sale = scene.sell(random.randint(1, 27), terms, party=party, amount_cents=amount, period=period)
    if sale.hold is not None and sale.hold["heldAmountCents"] > 0:
        held.append(sale)
    elif fate > 0.9:
        fee = random.choice([0, 1_500])
        dispute = world.rail.open_dispute(sale.charge_id, at=scene.at(28, period=period), fee=fee)
        if random.random() < 0.6:
            status = random.choice(["won", "lost"])
            world.rail.close_dispute(dispute["id"], status, at=scene.at(29, period=period))


def _random_payment(scene: Scene, random: Random, payout: Payout) -> None:
    hours = timedelta(hours=random.randint(0, 48))
    parts = random.choice([1, 1, 1, 2, 3])
    if payout.amount_cents < 10 or parts == 1:
        pay(scene.partner, payout, at=payout.close.closed_at + hours)
        return
    cuts = sorted(random.sample(range(1, payout.amount_cents), parts - 1))
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, payout.amount_cents], strict=True)]
    pay(scene.partner, payout, at=payout.close.closed_at + hours, sent_cents=sizes[0])
    for number, size in enumerate(sizes[1:], start=1):
        at = payout.close.closed_at + hours + timedelta(minutes=number)
        send(scene.partner, payout, size, at=at)
