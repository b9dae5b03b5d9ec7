"""What is kept of a charge: processing fees, application fees and giving application fees back.

Belongs here: fee arithmetic, settlement dates, application fees and their refunds.
Does not belong here: the charge a fee is taken from (charges.py, transfers.py).
"""

from __future__ import annotations

from typing import Any

from ingest.simulator import objects
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.facts import positive
from ingest.simulator.ledger import Leg

__all__ = [
    "APPLICATION_ID",
    "default_fee",
    "file_application_fee",
    "refund_application_fee",
    "settlement_day",
]

APPLICATION_ID = "ca_TieoutApplication"
_DAY_SECONDS = 86_400
_SETTLEMENT_DAYS = 2


def default_fee(amount: int) -> int:
    """Return 2.9 % + 30 of an amount in minor units, rounded half up."""
    return (amount * 29 + 500) // 1000 + 30


def settlement_day(at: int) -> int:
    """Return the midnight at which a charge of `at` becomes available."""
    return (at // _DAY_SECONDS + _SETTLEMENT_DAYS) * _DAY_SECONDS


def file_application_fee(
    books: Books,
    on_charge: dict[str, Any],
    amount: int,
    account: str,
    charge_id: str,
    at: int,
    originating: str | None = None,
) -> Leg:
    """File an application fee and return the platform's leg of it, not yet posted."""
    fee = objects.application_fee(
        object_id=books.new_id("application_fee"),
        account=account,
        amount=amount,
        charge_id=charge_id,
        currency=on_charge["currency"],
        created=at,
        livemode=books.livemode,
        application=APPLICATION_ID,
        originating_transaction=originating,
    )
    leg = books.leg(
        books.platform_id,
        on_charge["currency"],
        amount,
        "application_fee",
        "platform_earning",
        source=fee["id"],
        at=at,
        available_on=settlement_day(at),
    )
    fee["balance_transaction"] = leg.txn_id
    on_charge |= {
        "application": APPLICATION_ID,
        "application_fee": fee["id"],
        "application_fee_amount": amount,
    }
    books.add("application_fee", fee)
    books.event("application_fee.created", "application_fee", fee["id"], at=at)
    return leg


def refund_application_fee(
    books: Books, fee_id: str, amount: int | None, *, at: int
) -> dict[str, Any]:
    """Give a fee back; the connected account sees it as an adjustment."""
    fee = books.record("application_fee", fee_id)
    left = fee["amount"] - fee["amount_refunded"]
    amount = left if amount is None else amount
    if left < 1 or positive(amount) > left:
        raise RailError(
            f"Refund amount ({amount}) is greater than unrefunded amount on fee ({left})",
            param="amount",
            executed=True,
        )
    made = objects.fee_refund(
        object_id=books.new_id("fee_refund"),
        amount=amount,
        currency=fee["currency"],
        created=at,
        fee_id=fee_id,
    )
    ours = books.leg(
        books.platform_id,
        fee["currency"],
        -amount,
        "application_fee_refund",
        "platform_earning_refund",
        source=made["id"],
        at=at,
        available_on=max(at, books.txn(fee["balance_transaction"]).available_on),
    )
    theirs = books.leg(
        fee["account"],
        fee["currency"],
        amount,
        "adjustment",
        "other_adjustment",
        source=None,
        at=at,
        description="Application fee refund",
    )
    books.post("application fee refund", [ours, theirs])
    made["balance_transaction"] = ours.txn_id
    books.add("fee_refund", made)
    fee["amount_refunded"] += amount
    fee["refunded"] = fee["amount_refunded"] == fee["amount"]
    fee["refunds"].append(made["id"])
    books.changed("application_fee", fee_id)
    books.event("application_fee.refunded", "application_fee", fee_id, at=at)
    return books.show("fee_refund", made["id"])
