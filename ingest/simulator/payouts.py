"""Money between an account and its bank: top-ups in, payouts out, and payouts that come back.

Belongs here: top-ups, manual and automatic payouts with their members, failure and cancellation.
Does not belong here: transfers between Stripe accounts (transfers.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.simulator import objects
from ingest.simulator import personal as personal_data
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.facts import positive
from ingest.simulator.ledger import Leg, Posting
from ingest.simulator.views import PAYOUT_PENDING_SECONDS

__all__ = ["create_payout", "return_payout", "top_up"]

_RETURNS = {"failed": "payout_failure", "canceled": "payout_cancel"}


def top_up(
    books: Books,
    amount: int,
    *,
    at: int,
    currency: str,
    metadata: Mapping[str, str] | None,
    personal: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Bring money in from a bank; see `Rail.top_up`."""
    positive(amount)
    made = objects.topup(
        object_id=books.new_id("topup"),
        amount=amount,
        currency=currency,
        created=at,
        livemode=books.livemode,
        metadata=metadata,
    )
    if personal is not None:
        personal_data.into_text(made, personal)
    leg = books.leg(books.platform_id, currency, amount, "topup", "topup", source=made["id"], at=at)
    books.post("topup", [leg], [Posting("outside:banks", currency, -amount)])
    made["balance_transaction"] = leg.txn_id
    books.add("topup", made)
    books.event("topup.created", "topup", made["id"], at=at)
    books.event("topup.succeeded", "topup", made["id"], at=at)
    return books.show("topup", made["id"])


def create_payout(
    books: Books,
    amount: int | None,
    *,
    at: int,
    currency: str,
    account: str | None,
    automatic: bool,
    metadata: Mapping[str, str] | None,
    personal: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Pay out to a bank; see `Rail.create_payout`."""
    holder = books.holder(account)
    amount = _payable(books, amount, holder, currency, at, automatic)
    made = objects.payout(
        object_id=books.new_id("payout"),
        amount=amount,
        currency=currency,
        created=at,
        livemode=books.livemode,
        automatic=automatic,
        metadata=metadata,
    )
    if personal is not None:
        personal_data.into_text(made, personal)
    members = books.sweep(holder, currency, at) if automatic else []
    leg = books.leg(
        holder,
        currency,
        -amount,
        "payout",
        "payout",
        source=made["id"],
        at=at,
        description=made["description"],
    )
    books.post("payout", [leg], [Posting("outside:banks", currency, amount)])
    made["balance_transaction"] = leg.txn_id
    if automatic:
        # Stripe lists the payout's own balance transaction among its members, first of all.
        books.payout_members[made["id"]] = [leg.txn_id, *(m.txn_id for m in members)]
        books.unswept[holder, currency].remove(leg)
    books.add("payout", made, holder)
    books.event("payout.created", "payout", made["id"], at=at)
    books.due_events.append((made["arrival_date"], "payout.paid", made["id"]))
    if automatic:
        books.due_events.append(
            (at + PAYOUT_PENDING_SECONDS, "payout.reconciliation_completed", made["id"])
        )
    return books.show("payout", made["id"])


def _payable(
    books: Books, amount: int | None, holder: str, currency: str, at: int, automatic: bool
) -> int:
    """Return the amount to pay out, refusing what is not there to be paid."""
    if automatic and at < books.swept_at.get((holder, currency), 0):
        raise RailError(
            f"got an automatic payout dated before the last one of {holder}; sweep in time order"
        )
    available = books.ledger.available(holder, currency, at)
    if amount is None and automatic:
        amount = available
    if amount is None or (automatic and amount != available):
        raise RailError(
            f"got an automatic payout of {amount} {currency}; it sweeps what is available,"
            f" {available}: pass None or that",
            param="amount",
        )
    if books.check_funds and (available < amount or available < 1):
        raise RailError(
            f"You have insufficient funds in your Stripe account for this transfer: got {available}"
            f" {currency} available, expected at least {amount}.",
            code="balance_insufficient",
            param="amount",
            executed=True,
        )
    return positive(amount)


def return_payout(books: Books, payout_id: str, status: str, *, at: int) -> dict[str, Any]:
    """Bring a payout back as failed or canceled; see `Rail.fail_payout`, `Rail.cancel_payout`."""
    made = books.record("payout", payout_id)
    if made["status"] in _RETURNS:
        raise RailError(
            f"got payout {payout_id} ({made['status']}) to become {status}; it came back already",
            code="payout_not_allowed",
            executed=True,
        )
    left = made["created"] + PAYOUT_PENDING_SECONDS
    if status == "canceled" and at >= left:
        raise RailError(
            f"got payout {payout_id} to cancel after it left; expected one that is still pending",
            code="payout_not_allowed",
            executed=True,
        )
    holder, kind = books.home("payout", payout_id), _RETURNS[status]
    leg: Leg = books.leg(
        holder, made["currency"], made["amount"], kind, "payout_reversal", source=payout_id, at=at
    )
    books.post(kind, [leg], [Posting("outside:banks", made["currency"], -made["amount"])])
    made["failure_balance_transaction"] = leg.txn_id
    if status == "failed":
        made["failure_code"] = "account_closed"
        made["failure_message"] = "The bank account has been closed"
    made["status"] = status
    books.changed("payout", payout_id)
    books.event(f"payout.{status}", "payout", payout_id, at=at)
    return books.show("payout", payout_id)
