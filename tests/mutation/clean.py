"""Tenants without a fault, in which every kind of money moves that a fault could touch.

Belongs here: planting them and naming what is in them. Does not belong here: any fault, or tenants
drawn from a seed (drawn.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ingest.simulator.holds import refund_hold, release_hold
from ingest.simulator.month_end import Payout, pay, reverse, send
from ingest.simulator.partner import Party, Sale
from ingest.simulator.sales import SaleTerms
from ingest.simulator.scene import Scene
from ingest.simulator.world_state import World, previous_month

__all__ = ["Clean", "plant_clean"]

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
