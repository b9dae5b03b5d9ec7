"""Scenarios about customers' money: charges, refunds, disputes, and movements nobody can name.

Belongs here: one function a scenario whose docstring is its specification. Does not belong here:
instructions and transfers (scenarios_payouts.py).

A charge must equal the gross amount of the receipt it is linked to; the refunds of a charge must
sum to the receipt's refunded amount plus its holdback_refund adjustments. Both are due 3 days after
the receipt settled. Amounts are magnitudes: received, refunded, withdrawn.
"""

from __future__ import annotations

from datetime import timedelta

from ingest.simulator.ledger import Posting
from ingest.simulator.month_end import pay
from ingest.simulator.sales import SaleTerms
from ingest.simulator.scene import Scene, scenario
from ingest.simulator.world_state import PLATFORM_TENANT, World

__all__: list[str] = []

_DISPUTE_FEE_CENTS = 1_500


@scenario
def charge_without_receipt(world: World, tenant_id: str) -> None:
    """A charge that no charge_link names: MISSING_INTERNAL, drift minus its amount, on the charge.
    Metadata only corroborates, so the charge belongs to no tenant: the row is `_platform`'s."""
    scene = Scene(world, tenant_id, "charge_without_receipt")
    scene.paid_month()
    charge = world.rail.create_charge(6_600, at=scene.at(25), metadata=scene.partner.metadata())
    scene.expect(
        "MISSING_INTERNAL",
        tenant_id=PLATFORM_TENANT,
        drift_cents=-6_600,
        rail_object_id=charge["id"],
    )


@scenario
def receipt_without_charge(world: World, tenant_id: str) -> None:
    """A receipt settled more than 3 days ago whose charge_link names a charge that does not exist:
    MISSING_EXTERNAL, drift +gross amount, on the receipt. The payout still pays it out."""
    scene = Scene(world, tenant_id, "receipt_without_charge")
    scene.trade()
    sale = scene.sell(24, SaleTerms(on_rail=False))
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    scene.expect(
        "MISSING_EXTERNAL",
        party_id=scene.party.party_id,
        drift_cents=sale.amount_cents,
        kernel_object_id=sale.receipt_id,
    )


@scenario
def charge_short(world: World, tenant_id: str) -> None:
    """A charge is 3.00 smaller than the receipt it is linked to: AMOUNT_UNDER, drift +300, on the
    charge."""
    scene = Scene(world, tenant_id, "charge_short")
    scene.trade()
    sale = scene.sell(24, SaleTerms(charge_cents=9_700), amount_cents=10_000)
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    scene.expect(
        "AMOUNT_UNDER",
        party_id=scene.party.party_id,
        drift_cents=300,
        rail_object_id=sale.charge_id,
        kernel_object_id=sale.receipt_id,
    )


@scenario
def charge_over(world: World, tenant_id: str) -> None:
    """A charge is 3.00 larger than the receipt it is linked to: AMOUNT_OVER, drift -300, on the
    charge."""
    scene = Scene(world, tenant_id, "charge_over")
    scene.trade()
    sale = scene.sell(24, SaleTerms(charge_cents=10_300), amount_cents=10_000)
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    scene.expect(
        "AMOUNT_OVER",
        party_id=scene.party.party_id,
        drift_cents=-300,
        rail_object_id=sale.charge_id,
        kernel_object_id=sale.receipt_id,
    )


@scenario
def refund_missing(world: World, tenant_id: str) -> None:
    """A receipt refunded 40.00 more than 3 days ago and the rail refunded nothing:
    MISSING_EXTERNAL, drift +4000, on the receipt."""
    scene = Scene(world, tenant_id, "refund_missing")
    scene.trade()
    terms = SaleTerms(released_cents=6_000, refund_on_rail=False)
    sale = scene.sell(24, terms, amount_cents=10_000)
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    scene.expect(
        "MISSING_EXTERNAL",
        party_id=scene.party.party_id,
        drift_cents=4_000,
        kernel_object_id=sale.receipt_id,
    )


@scenario
def refund_unbooked(world: World, tenant_id: str) -> None:
    """The rail refunds 25.00 of a charge whose receipt released everything: MISSING_INTERNAL, drift
    -2500, on the refund; the party is found through the charge's link and was paid for the sale."""
    scene = Scene(world, tenant_id, "refund_unbooked")
    sale = scene.trade()[0]
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    refund = world.rail.refund(sale.charge_id, 2_500, at=scene.at(26))
    scene.expect(
        "MISSING_INTERNAL",
        party_id=scene.party.party_id,
        drift_cents=-2_500,
        rail_object_id=refund["id"],
        kernel_object_id=sale.receipt_id,
    )


@scenario
def dispute_lost(world: World, tenant_id: str) -> None:
    """A linked charge is disputed and lost: the movement is explained, no break; the party owes the
    disputed amount plus the fee of 15.00."""
    scene = Scene(world, tenant_id, "dispute_lost")
    sale = scene.trade()[0]
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    dispute = world.rail.open_dispute(sale.charge_id, at=scene.at(12), fee=_DISPUTE_FEE_CENTS)
    world.rail.close_dispute(dispute["id"], "lost", at=scene.at(25))
    scene.expect_exposure(scene.party, sale.amount_cents + _DISPUTE_FEE_CENTS)


@scenario
def dispute_open(world: World, tenant_id: str) -> None:
    """A linked charge is disputed and undecided: no break; amount plus fee is outstanding, and the
    amount is named as open."""
    scene = Scene(world, tenant_id, "dispute_open")
    sale = scene.trade()[0]
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    world.rail.open_dispute(sale.charge_id, at=scene.at(12), fee=_DISPUTE_FEE_CENTS)
    owed = sale.amount_cents + _DISPUTE_FEE_CENTS
    scene.expect_exposure(scene.party, owed, open_dispute_cents=owed)


@scenario
def dispute_won(world: World, tenant_id: str) -> None:
    """A linked charge is disputed and won: the amount is reinstated and its fee is not, so no break
    and 15.00 outstanding."""
    scene = Scene(world, tenant_id, "dispute_won")
    sale = scene.trade()[0]
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    dispute = world.rail.open_dispute(sale.charge_id, at=scene.at(12), fee=_DISPUTE_FEE_CENTS)
    world.rail.close_dispute(dispute["id"], "won", at=scene.at(25))
    scene.expect_exposure(scene.party, _DISPUTE_FEE_CENTS)


@scenario
def dispute_inquiry(world: World, tenant_id: str) -> None:
    """A linked charge is under inquiry: no money moved, nothing outstanding, the amount
    contingent."""
    scene = Scene(world, tenant_id, "dispute_inquiry")
    sale = scene.trade()[0]
    payout = scene.close()
    scene.matched(payout, pay(scene.partner, payout))
    world.rail.open_dispute(sale.charge_id, at=scene.at(12), status="warning_needs_response", fee=0)
    scene.expect_exposure(scene.party, 0, contingent_cents=sale.amount_cents)


@scenario
def dispute_not_booked(world: World, tenant_id: str) -> None:
    """A charge that no charge_link names is disputed: DISPUTE_NOT_BOOKED, drift minus the disputed
    amount, on the dispute, and MISSING_INTERNAL on the charge; both are `_platform`'s, and so is
    the exposure, unattributed."""
    scene = Scene(world, tenant_id, "dispute_not_booked")
    scene.paid_month()
    charge = world.rail.create_charge(7_700, at=scene.at(10))
    dispute = world.rail.open_dispute(charge["id"], at=scene.at(15), fee=_DISPUTE_FEE_CENTS)
    for code, object_id in (
        ("MISSING_INTERNAL", charge["id"]),
        ("DISPUTE_NOT_BOOKED", dispute["id"]),
    ):
        scene.expect(code, tenant_id=PLATFORM_TENANT, drift_cents=-7_700, rail_object_id=object_id)


@scenario
def unmapped_category(world: World, tenant_id: str) -> None:
    """A balance transaction of the platform with a reporting category that no seed knows:
    UNCLASSIFIED, drift +700 (expected 0 minus its signed amount of -700), on the balance
    transaction, `_platform`'s. The balance ties out with it."""
    scene = Scene(world, tenant_id, "unmapped_category")
    scene.paid_month()
    books = world.rail.books
    at = int((scene.at(20) + timedelta(minutes=1)).timestamp())
    leg = books.leg(
        world.rail.platform_id, "usd", -700, "stripe_fee", "network_cost", source=None, at=at
    )
    books.post("unmapped", [leg], [Posting("outside:networks", "usd", 700)])
    scene.expect(
        "UNCLASSIFIED",
        tenant_id=PLATFORM_TENANT,
        drift_cents=700,
        rail_object_id=leg.txn_id,
    )
