"""Disputes: money withdrawn with its fee, reinstated when won, gone when lost.

Belongs here: opening, moving and closing disputes, and their balance transactions. Inquiries
(`warning_*`) and prevented disputes move no money. Does not belong here: refunds (refunds.py).
"""

from __future__ import annotations

from typing import Any

from ingest.simulator import customer_objects
from ingest.simulator import personal as personal_data
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.facts import positive
from ingest.simulator.ledger import FeePart, Posting

__all__ = ["close_dispute", "move_dispute", "open_dispute"]

_INQUIRIES = ("warning_needs_response", "warning_under_review")
_CHARGEBACKS = ("needs_response", "under_review", "appeal_needs_response", "appeal_under_review")
_APPEALS = ("appeal_needs_response", "appeal_under_review")
_FINALS = ("won", "lost", "warning_closed", "prevented")


def open_dispute(
    books: Books,
    charge_id: str,
    *,
    at: int,
    amount: int | None,
    fee: int,
    status: str,
    reason: str,
) -> dict[str, Any]:
    """Dispute a charge; see `Rail.open_dispute`."""
    if status not in (*_INQUIRIES, *_CHARGEBACKS, "prevented"):
        raise RailError(
            f"got dispute status {status!r}; open one as"
            f" {', '.join((*_INQUIRIES, *_CHARGEBACKS))} or prevented and close it later"
        )
    charge = books.record("charge", charge_id)
    facts = books.charge_facts.get(charge_id)
    if facts is None or charge["status"] != "succeeded":
        raise RailError(f"got {charge_id}; expected a succeeded customer charge", param="charge")
    amount = charge["amount"] if amount is None else positive(amount)
    if amount > charge["amount"]:
        raise RailError(f"got dispute of {amount}; expected at most {charge['amount']}")
    made = customer_objects.dispute(
        object_id=books.new_id("dispute"),
        amount=amount,
        charge_id=charge_id,
        currency=charge["currency"],
        created=at,
        livemode=books.livemode,
        status=status,
        reason=reason,
        payment_intent=charge["payment_intent"],
    )
    if facts.personal is not None:
        personal_data.into_dispute(made, facts.personal)
    books.add("dispute", made, facts.account)
    charge["disputed"] = True
    books.changed("charge", charge_id)
    if status in _CHARGEBACKS:
        _move_money(books, made, -amount, fee, at)
    books.event("charge.dispute.created", "dispute", made["id"], at=at)
    if status in _CHARGEBACKS:
        books.event("charge.dispute.funds_withdrawn", "dispute", made["id"], at=at)
    return books.show("dispute", made["id"], facts.account)


def _move_money(books: Books, made: dict[str, Any], face: int, fee: int, at: int) -> None:
    """Post one balance transaction of `face` (signed, charge currency) with `fee` in it."""
    facts = books.charge_facts[made["charge"]]
    settled = books.at_rate(abs(face), facts.exchange_rate) * (-1 if face < 0 else 1)
    currency = facts.settlement_currency
    leg = books.leg(
        facts.account,
        currency,
        settled,
        "adjustment",
        "dispute" if face < 0 else "dispute_reversal",
        source=made["id"],
        at=at,
        available_on=max(at, facts.available_on) if face < 0 else at,
        fees=(FeePart(fee, "stripe_fee", "Dispute fee"),) if fee else (),
        description=f"Chargeback {'withdrawal' if face < 0 else 'reversal'} for {made['charge']}",
        exchange_rate=facts.exchange_rate,
    )
    outside = [
        Posting("outside:networks", made["currency"], -face),
        Posting("outside:stripe_fees", currency, fee),
    ]
    if currency != made["currency"]:
        outside += [
            Posting("outside:exchange", made["currency"], face),
            Posting("outside:exchange", currency, -settled),
        ]
    books.post("dispute", [leg], outside)
    made["balance_transactions"].append(leg.txn_id)
    books.changed("dispute", made["id"])


def _withdrawn(books: Books, made: dict[str, Any]) -> bool:
    return sum(books.txn(txn_id).amount for txn_id in made["balance_transactions"]) < 0


def move_dispute(
    books: Books, dispute_id: str, status: str, *, at: int, fee: int
) -> dict[str, Any]:
    """Move a dispute to another open status; see `Rail.move_dispute`."""
    made = books.record("dispute", dispute_id)
    appealed = made["status"] == "lost" and status in _APPEALS
    escalated = made["status"] in _INQUIRIES and status in (*_INQUIRIES, *_CHARGEBACKS)
    advanced = made["status"] in _CHARGEBACKS and status in _CHARGEBACKS
    if not (appealed or escalated or advanced):
        raise RailError(
            f"got dispute {dispute_id} from {made['status']} to {status!r}; expected an open status"
            " reachable from there",
            param="status",
        )
    made["status"] = status
    if status in _CHARGEBACKS and not _withdrawn(books, made):
        made["payment_method_details"]["card"]["case_type"] = "chargeback"
        made["is_charge_refundable"] = False
        _move_money(books, made, -made["amount"], fee, at)
        books.event("charge.dispute.funds_withdrawn", "dispute", dispute_id, at=at)
    books.changed("dispute", dispute_id)
    books.event("charge.dispute.updated", "dispute", dispute_id, at=at)
    return books.show("dispute", dispute_id)


def close_dispute(
    books: Books, dispute_id: str, status: str, *, at: int, fee_returned: int
) -> dict[str, Any]:
    """Close a dispute; see `Rail.close_dispute`."""
    made = books.record("dispute", dispute_id)
    inquiry = made["status"] in _INQUIRIES
    wanted = ("warning_closed", "prevented") if inquiry else ("won", "lost", "prevented")
    if made["status"] in _FINALS or status not in wanted:
        raise RailError(
            f"got dispute {dispute_id} from {made['status']} to {status!r}; expected an open one"
            f" and one of {', '.join(wanted)}",
            param="status",
        )
    made["status"] = status
    if status in ("won", "prevented") and _withdrawn(books, made):
        _move_money(books, made, made["amount"], -fee_returned, at)
        books.event("charge.dispute.funds_reinstated", "dispute", dispute_id, at=at)
    books.changed("dispute", dispute_id)
    books.event("charge.dispute.closed", "dispute", dispute_id, at=at)
    return books.show("dispute", dispute_id)
