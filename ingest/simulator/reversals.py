"""Pulling transfers back, wholly or in parts, at the rate they were sent.

Belongs here: reversals and the payment refunds they are on the destination.
Does not belong here: refunds of customers' charges (refunds.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.simulator import customer_objects, objects
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.facts import positive
from ingest.simulator.transfers import exchanged

__all__ = ["reverse_transfer"]


def reverse_transfer(
    books: Books,
    transfer_id: str,
    amount: int | None,
    *,
    at: int,
    metadata: Mapping[str, str] | None,
    source_refund: str | None = None,
) -> dict[str, Any]:
    """Pull a transfer back; see `Rail.reverse_transfer`."""
    transfer = books.record("transfer", transfer_id)
    facts = books.transfer_facts[transfer_id]
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = left if amount is None else amount
    if left < 1 or positive(amount) > left:
        raise RailError(
            f"Reversal amount ({amount}) is greater than unreversed amount on transfer ({left})",
            code="amount_too_large" if left else "transfer_already_reversed",
            param="amount",
            executed=True,
        )
    reversed_amount = transfer["amount_reversed"] + amount
    whole = reversed_amount == transfer["amount"]
    there_total = (
        facts.arrived_amount if whole else books.at_rate(reversed_amount, facts.exchange_rate)
    )
    back = there_total - facts.reversed_there
    made = _file_reversal(books, transfer, amount, back, at, metadata, source_refund)
    facts.reversed_there = there_total
    transfer["amount_reversed"] = reversed_amount
    transfer["reversed"] = whole
    transfer["reversals"].append(made["id"])
    books.changed("transfer", transfer_id)
    payment = books.record("charge", transfer["destination_payment"])
    payment["amount_refunded"] += back
    payment["refunded"] = payment["amount_refunded"] == payment["amount"]
    books.changed("charge", payment["id"])
    books.event("transfer.reversed", "transfer", transfer_id, at=at)
    return books.show("transfer_reversal", made["id"])


def _file_reversal(
    books: Books,
    transfer: dict[str, Any],
    amount: int,
    back: int,
    at: int,
    metadata: Mapping[str, str] | None,
    source_refund: str | None,
) -> dict[str, Any]:
    facts, destination = books.transfer_facts[transfer["id"]], transfer["destination"]
    made = objects.transfer_reversal(
        object_id=books.new_id("transfer_reversal"),
        amount=amount,
        currency=transfer["currency"],
        created=at,
        transfer_id=transfer["id"],
        destination_payment_refund=books.new_id("refund", "pyr"),
        metadata=metadata,
        source_refund=source_refund,
    )
    refund = customer_objects.refund(
        object_id=made["destination_payment_refund"],
        amount=back,
        charge_id=transfer["destination_payment"],
        currency=facts.arrived_currency,
        created=at,
        status="succeeded",
    )
    refund["source_transfer_reversal"] = made["id"]
    available_on = max(at, books.txn(transfer["balance_transaction"]).available_on)
    ours = books.leg(
        books.platform_id,
        transfer["currency"],
        amount,
        "transfer_refund",
        "transfer_reversal",
        source=made["id"],
        at=at,
        available_on=available_on,
    )
    theirs = books.leg(
        destination,
        facts.arrived_currency,
        -back,
        "payment_refund",
        "refund",
        source=refund["id"],
        at=at,
        available_on=available_on,
        exchange_rate=facts.exchange_rate,
    )
    books.post("transfer reversal", [ours, theirs], exchanged(ours, theirs))
    made["balance_transaction"], refund["balance_transaction"] = ours.txn_id, theirs.txn_id
    books.add("transfer_reversal", made)
    books.add("refund", refund, destination)
    return made
