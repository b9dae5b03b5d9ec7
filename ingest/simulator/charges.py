"""Charging customers: on the platform, directly on a connected account, or for a destination.

Belongs here: the charge, its balance transaction, application fees of direct charges and the
transfer of destination charges. Does not belong here: giving money back (refunds.py, disputes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.simulator import customer_objects, transfers
from ingest.simulator import personal as personal_data
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.facts import ChargeFacts, positive
from ingest.simulator.fees import (
    APPLICATION_ID,
    default_fee,
    file_application_fee,
    settlement_day,
)
from ingest.simulator.ledger import FeePart, Leg, Posting

__all__ = ["create_charge"]

_STATUSES = ("succeeded", "pending", "failed")


def create_charge(
    books: Books,
    amount: int,
    *,
    at: int,
    currency: str,
    fee: int | None,
    metadata: Mapping[str, str] | None,
    transfer_group: str | None,
    account: str | None,
    personal: Mapping[str, str] | None,
    status: str,
    settlement_currency: str | None,
    application_fee: int,
    destination: str | None,
    transfer_amount: int | None,
    payment_intent: str | None = None,
    at_once: bool = False,
) -> dict[str, Any]:
    """Charge a customer; see `Rail.create_charge`.

    Args:
        payment_intent: the intent behind it; None mints an id of one that is not kept.
        at_once: its money is available at once, as with Stripe's bypass card.
    """
    positive(amount)
    holder = books.holder(account)
    if status not in _STATUSES:
        raise RailError(f"got charge status {status!r}; expected one of {_STATUSES}")
    _check_cut(books, amount, currency, holder, application_fee, destination, transfer_amount)
    into = settlement_currency or currency
    if into != currency and (application_fee or destination is not None):
        raise RailError("got a converted charge with a cut or a destination; expected one currency")
    settled, rate = books.convert(amount, currency, into)
    made = customer_objects.charge(
        object_id=books.new_id("charge"),
        amount=amount,
        currency=currency,
        created=at,
        livemode=books.livemode,
        status=status,
        metadata=metadata,
        transfer_group=transfer_group,
        payment_intent=payment_intent or books.new_id("charge", "pi"),
    )
    if personal is not None:
        personal_data.into_charge(made, personal)
    available_on = at if at_once else settlement_day(at)
    books.charge_facts[made["id"]] = ChargeFacts(holder, into, rate, available_on, personal)
    if status == "succeeded":
        kept = default_fee(settled) if fee is None else fee
        fees = (FeePart(kept, "stripe_fee", "Stripe processing fees"),) if kept else ()
        direct_cut = application_fee if holder != books.platform_id else 0
        _post_charge(books, made, holder, settled, fees, direct_cut)
    books.add("charge", made, holder)
    books.event(f"charge.{status}", "charge", made["id"], at=at)
    if destination is not None and status == "succeeded":
        transfers.send_for_charge(
            books,
            made["id"],
            destination=destination,
            amount=transfer_amount,
            application_fee=application_fee,
            at=at,
        )
    return books.show("charge", made["id"], holder)


def _check_cut(
    books: Books,
    amount: int,
    currency: str,
    holder: str,
    application_fee: int,
    destination: str | None,
    transfer_amount: int | None,
) -> None:
    direct = holder != books.platform_id
    if destination is not None:
        if direct:
            raise RailError("got both account and destination; expected a charge on the platform")
        transfers.check_destination(books, destination, amount, currency)
        there = books.account_record(destination)["default_currency"]
        if application_fee and there != currency:
            raise RailError("got an application fee across currencies; expected one currency")
        if transfer_amount is not None and not 1 <= transfer_amount <= amount:
            raise RailError(f"got transfer amount {transfer_amount}; expected 1 to {amount}")
    if application_fee and not direct and destination is None:
        raise RailError("got an application fee on a plain platform charge; expected none")
    if not 0 <= application_fee <= amount:
        raise RailError(f"got application fee {application_fee}; expected 0 to {amount}")


def _post_charge(
    books: Books,
    made: dict[str, Any],
    holder: str,
    settled: int,
    fees: tuple[FeePart, ...],
    direct_cut: int,
) -> None:
    facts, at = books.charge_facts[made["id"]], made["created"]
    currency = facts.settlement_currency
    processing = sum(part.amount for part in fees)
    extra: list[Leg] = []
    if direct_cut:
        fees = (
            *fees,
            FeePart(direct_cut, "application_fee", "Application fee", APPLICATION_ID),
        )
        extra = [file_application_fee(books, made, direct_cut, holder, made["id"], at)]
    leg = books.leg(
        holder,
        currency,
        settled,
        "charge",
        "charge",
        source=made["id"],
        at=at,
        available_on=facts.available_on,
        fees=fees,
        description=made["description"],
        exchange_rate=facts.exchange_rate,
    )
    outside = [
        Posting("outside:customers", made["currency"], -made["amount"]),
        Posting("outside:stripe_fees", currency, processing),
    ]
    if currency != made["currency"]:
        outside += [
            Posting("outside:exchange", made["currency"], made["amount"]),
            Posting("outside:exchange", currency, -settled),
        ]
    books.post("charge", [leg, *extra], outside)
    made["balance_transaction"] = leg.txn_id
