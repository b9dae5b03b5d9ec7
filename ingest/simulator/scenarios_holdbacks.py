"""Scenarios about what is kept back from a payout: the platform's fee and holdbacks.

Belongs here: one function a scenario whose docstring is its specification. Does not belong here:
gates that wait for a hold (scenarios_gates.py).
"""

from __future__ import annotations

from ingest.simulator.holds import refund_hold, release_hold
from ingest.simulator.month_end import pay
from ingest.simulator.sales import SaleTerms
from ingest.simulator.scene import Scene, scenario
from ingest.simulator.world_state import World, previous_month

__all__: list[str] = []


@scenario
def fee_variance(world: World, tenant_id: str) -> None:
    """The platform's fee on one receipt is floor(25 %) of what was released instead of floor(20 %):
    its fee link, the statement, the instruction and the transfer agree with one another.
    FEE_VARIANCE, drift = what was withheld too much, on the transfer. The fee link of a receipt
    must be minus floor(20 %) of its released amount."""
    scene = Scene(world, tenant_id, "fee_variance")
    scene.trade()
    sale = scene.sell(24, SaleTerms(fee_bps=2_500))
    payout = scene.close()
    sent = pay(scene.partner, payout)
    withheld = sale.fee_cents - sale.released_cents * 2_000 // 10_000
    scene.expect_payout("FEE_VARIANCE", payout, withheld, transfer=sent)


@scenario
def holdback_variance(world: World, tenant_id: str) -> None:
    """A statement forgets a hold: the holdback link (minus the held amount) is there, but
    instruction and transfer include what should be held, so the links sum to less than the
    instruction by exactly the held amount. HOLDBACK_VARIANCE, drift minus the held amount (links
    minus paid), on the transfer; where the transfer does not exist yet, on the instruction."""
    scene = Scene(world, tenant_id, "holdback_variance")
    scene.trade()
    scene.sell(24, SaleTerms(challenge_days=90, forget_hold=True))
    payout = scene.close()
    sent = pay(scene.partner, payout)
    drift = payout.linked_cents - payout.amount_cents
    scene.expect_payout("HOLDBACK_VARIANCE", payout, drift, transfer=sent)


@scenario
def holdback_released(world: World, tenant_id: str) -> None:
    """Two holds of one month are released in the next, one by an adjustment and one silently, and
    both are part of that month's payout (an adjustment link; a positive holdback link). No
    break."""
    scene = Scene(world, tenant_id, "holdback_released")
    first = previous_month(scene.period)
    scene.trade(period=first)
    adjusted = scene.sell(23, SaleTerms(challenge_days=14), period=first)
    silent = scene.sell(24, SaleTerms(challenge_days=14), period=first)
    early = scene.close(period=first)
    scene.matched(early, pay(scene.partner, early))
    scene.trade()
    release_hold(scene.partner, adjusted, at=scene.at(10))
    release_hold(scene.partner, silent, at=scene.at(11), adjusted=False)
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))


@scenario
def holdback_refunded(world: World, tenant_id: str) -> None:
    """A hold is given back to the customer by a verdict: an adjustment holdback_refund and a refund
    of the same amount on the rail; the party never gets it. No break: the refunds of a charge must
    sum to its receipt's refunded amount plus its holdback_refund adjustments."""
    scene = Scene(world, tenant_id, "holdback_refunded")
    scene.trade()
    sale = scene.sell(10, SaleTerms(challenge_days=14))
    refund_hold(scene.partner, sale, opened_at=scene.at(14), at=scene.at(18))
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
