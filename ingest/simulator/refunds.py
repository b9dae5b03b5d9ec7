"""Giving money back to customers.

Belongs here: refunds, what failed ones return, and the reversals and fee refunds asked for along
with them. Does not belong here: disputes (disputes.py), reversals by themselves (transfers.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.simulator import customer_objects, fees, reversals
from ingest.simulator import personal as personal_data
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.facts import positive
from ingest.simulator.ledger import Leg, Posting

__all__ = ["create_refund", "resolve_refund"]

_STATUSES = ("succeeded", "pending", "requires_action", "failed", "canceled")
_RETURNED = ("failed", "canceled")


def create_refund(
    books: Books,
    charge_id: str,
    amount: int | None,
    *,
    at: int,
    status: str,
    metadata: Mapping[str, str] | None,
    reason: str | None,
    reverse_transfer: bool,
    refund_application_fee: bool,
) -> dict[str, Any]:
    """Refund a charge; see `Rail.refund`."""
    if status not in _STATUSES:
        raise RailError(f"got refund status {status!r}; expected one of {_STATUSES}")
    charge = books.record("charge", charge_id)
    amount = _refundable(charge, amount)
    if reverse_transfer and "transfer" not in charge:
        raise RailError(
            f"got reverse_transfer for {charge_id}; expected a destination charge",
            param="reverse_transfer",
        )
    if refund_application_fee and charge["application_fee"] is None:
        raise RailError(
            f"got refund_application_fee for {charge_id}; expected a charge with a fee",
            param="refund_application_fee",
        )
    home = books.charge_facts[charge_id].account
    made = customer_objects.refund(
        object_id=books.new_id("refund"),
        amount=amount,
        charge_id=charge_id,
        currency=charge["currency"],
        created=at,
        status="requires_action" if status == "requires_action" else "pending",
        metadata=metadata,
        reason=reason,
        payment_intent=charge["payment_intent"],
    )
    planted = books.charge_facts[charge_id].personal
    if planted is not None:
        personal_data.into_text(made, planted)
        made["description"] = made["instructions_email"] = personal_data.free_text(planted)
    if status != "requires_action":
        _withdraw(books, made, charge, at)
    books.add("refund", made, home)
    _count(books, charge, amount)
    books.event("refund.created", "refund", made["id"], at=at)
    books.event("charge.refunded", "charge", charge_id, at=at)
    if status not in ("pending", "requires_action"):
        resolve_refund(books, made["id"], status, at=at)
    if status not in _RETURNED:
        _along_with(books, made, charge, at, reverse_transfer, refund_application_fee)
    return books.show("refund", made["id"])


def _refundable(charge: dict[str, Any], amount: int | None) -> int:
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if charge["status"] != "succeeded" or charge["source_transfer"] is not None:
        raise RailError(
            f"got charge {charge['id']} ({charge['status']}); expected a succeeded customer charge,"
            " reverse the transfer to take back its payment",
            param="charge",
        )
    if left < 1:
        raise RailError(
            f"Charge {charge['id']} has already been refunded.",
            code="charge_already_refunded",
            executed=True,
        )
    if positive(amount) > left:
        raise RailError(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
            executed=True,
        )
    return amount


def _count(books: Books, charge: dict[str, Any], amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    books.changed("charge", charge["id"])


def _posted(
    books: Books,
    made: dict[str, Any],
    charge: dict[str, Any],
    settled: int,
    kind: str,
    category: str,
    at: int,
) -> Leg:
    """Post a refund leg of `settled` (signed) in the charge's settlement currency."""
    facts = books.charge_facts[charge["id"]]
    faced = made["amount"] if settled < 0 else -made["amount"]
    leg = books.leg(
        facts.account,
        facts.settlement_currency,
        settled,
        kind,
        category,
        source=made["id"],
        at=at,
        available_on=max(at, facts.available_on),
        description=made.get("description"),
        exchange_rate=facts.exchange_rate,
    )
    outside = [Posting("outside:customers", charge["currency"], faced)]
    if facts.settlement_currency != charge["currency"]:
        outside += [
            Posting("outside:exchange", charge["currency"], -faced),
            Posting("outside:exchange", facts.settlement_currency, -settled),
        ]
    books.post(kind, [leg], outside)
    return leg


def _withdraw(books: Books, made: dict[str, Any], charge: dict[str, Any], at: int) -> None:
    rate = books.charge_facts[charge["id"]].exchange_rate
    before = books.at_rate(charge["amount_refunded"], rate)
    after = books.at_rate(charge["amount_refunded"] + made["amount"], rate)
    leg = _posted(books, made, charge, before - after, "refund", "refund", at)
    made["balance_transaction"] = leg.txn_id


def resolve_refund(books: Books, refund_id: str, status: str, *, at: int) -> dict[str, Any]:
    """Move a refund on; see `Rail.resolve_refund`."""
    refund = books.record("refund", refund_id)
    if status not in ("succeeded", *_RETURNED) or refund["status"] in _RETURNED:
        raise RailError(
            f"got refund {refund_id} from {refund['status']} to {status!r}; expected an open refund"
            f" and one of succeeded, failed, canceled",
            param="status",
        )
    if refund["source_transfer_reversal"] is not None:
        raise RailError(f"got payment refund {refund_id}; expected a customer's refund")
    charge = books.record("charge", refund["charge"])
    if refund["balance_transaction"] is None and status == "succeeded":
        _withdraw(books, refund, charge, at)
    if status in _RETURNED:
        if refund["balance_transaction"] is not None:
            taken = books.txn(refund["balance_transaction"]).amount
            leg = _posted(books, refund, charge, -taken, "refund_failure", "refund_failure", at)
            refund["failure_balance_transaction"] = leg.txn_id
        if status == "failed":
            refund["failure_reason"] = "lost_or_stolen_card"
        _count(books, charge, -refund["amount"])
    refund["status"] = status
    books.changed("refund", refund_id)
    kind = "refund.failed" if status == "failed" else "refund.updated"
    books.event(kind, "refund", refund_id, at=at)
    return books.show("refund", refund_id)


def _along_with(
    books: Books,
    made: dict[str, Any],
    charge: dict[str, Any],
    at: int,
    reverse_transfer: bool,
    refund_application_fee: bool,
) -> None:
    """Reverse and return in proportion what was asked for; Stripe does neither by itself."""

    def share(whole: int, used: int) -> int:
        proportion = (2 * whole * made["amount"] + charge["amount"]) // (2 * charge["amount"])
        return int(min(whole - used, proportion))

    if reverse_transfer:
        transfer = books.record("transfer", charge["transfer"])
        part = share(transfer["amount"], transfer["amount_reversed"])
        if part:
            reversal = reversals.reverse_transfer(
                books, transfer["id"], part, at=at, metadata=None, source_refund=made["id"]
            )
            made["transfer_reversal"] = reversal["id"]
    if refund_application_fee:
        fee = books.record("application_fee", charge["application_fee"])
        part = share(fee["amount"], fee["amount_refunded"])
        if part:
            fees.refund_application_fee(books, fee["id"], part, at=at)
    books.changed("refund", made["id"])
