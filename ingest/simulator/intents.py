"""Payment intents, as far as Stripe's own test fixtures go: one card, confirmed at once or held.

Belongs here: the test payment methods and what each leads to (a charge, a decline, a dispute), and
capture and cancel of a held one. Does not belong here: the charge's money (charges.py,
disputes.py), customers, or any other payment method.

Where it is less than Stripe: an authorisation that is not captured has no charge object yet, and
intents themselves have no events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.simulator import charges, disputes
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.facts import positive

__all__ = ["cancel_intent", "capture_intent", "create_intent", "declined", "show_intent"]

_DECLINED = ("pm_card_chargeDeclined", "pm_card_visa_chargeDeclined")
_DISPUTED = {
    "pm_card_createDispute": "needs_response",
    "pm_card_createDisputeInquiry": "warning_needs_response",
}
_DISPUTE_FEE = 1_500
_PLAIN = ("pm_card_visa", "pm_card_mastercard", "pm_card_bypassPending")


def create_intent(
    books: Books,
    *,
    at: int,
    account: str,
    amount: int,
    currency: str,
    metadata: Mapping[str, str],
    transfer_group: str | None,
    payment_method: str | None,
    confirm: bool,
    manual: bool,
) -> dict[str, Any]:
    """Make a payment intent and, where it is confirmed, what its test card leads to.

    Raises:
        RailError: an unknown test card, or a confirmation without one.
    """
    positive(amount)
    if confirm and payment_method is None:
        raise RailError(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    known = (*_PLAIN, *_DECLINED, *_DISPUTED, "pm_card_authenticationRequired")
    if payment_method is not None and payment_method not in known:
        raise RailError(
            f"No such PaymentMethod: '{payment_method[:80]}'; this rail has {', '.join(known)}",
            code="resource_missing",
            param="payment_method",
        )
    status = "requires_confirmation" if payment_method else "requires_payment_method"
    made = _intent(books, at=at, amount=amount, currency=currency, metadata=metadata)
    made |= {
        "status": status,
        "capture_method": "manual" if manual else "automatic",
        "payment_method": payment_method,
        "transfer_group": transfer_group,
    }
    books.intents[made["id"]] = (books.holder(account), made)
    if confirm:
        _confirm(books, made, at)
    return show_intent(books, made["id"], account)


def capture_intent(
    books: Books, intent_id: str, *, at: int, account: str, amount: int | None
) -> dict[str, Any]:
    """Take the money of a held intent, or a part of it."""
    made = _held(books, intent_id, account)
    if made["status"] != "requires_capture":
        raise _unexpected(made, "captured")
    taken = made["amount_capturable"] if amount is None else positive(amount)
    if taken > made["amount_capturable"]:
        raise RailError("Amount to capture is greater than what is held", param="amount_to_capture")
    made |= {"amount_capturable": 0}
    _charge(books, made, taken, at)
    books.event("charge.captured", "charge", made["latest_charge"], at=at)
    return show_intent(books, intent_id, account)


def cancel_intent(books: Books, intent_id: str, *, at: int, account: str) -> dict[str, Any]:
    """Give a held or unconfirmed intent up; no money had moved."""
    made = _held(books, intent_id, account)
    if made["status"] in ("succeeded", "canceled"):
        raise _unexpected(made, "canceled")
    made |= {"status": "canceled", "canceled_at": at, "amount_capturable": 0}
    return show_intent(books, intent_id, account)


def show_intent(books: Books, intent_id: str, account: str) -> dict[str, Any]:
    """Return a detached copy of an intent of an account."""
    return dict(_held(books, intent_id, account))


def declined(made: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return Stripe's error envelope for an intent whose card was declined, else None."""
    if made.get("object") != "payment_intent" or made["last_payment_error"] is None:
        return None
    return {"error": made["last_payment_error"] | {"payment_intent": dict(made)}}


def _confirm(books: Books, made: dict[str, Any], at: int) -> None:
    card = made["payment_method"]
    if card == "pm_card_authenticationRequired":
        made |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}}
    elif card in _DECLINED:
        failed = _charge(books, made, made["amount"], at, status="failed")
        made |= {
            "status": "requires_payment_method",
            "payment_method": None,
            "last_payment_error": {
                "type": "card_error",
                "code": "card_declined",
                "decline_code": "generic_decline",
                "message": "Your card was declined.",
                "charge": failed["id"],
            },
        }
    elif made["capture_method"] == "manual":
        made |= {"status": "requires_capture", "amount_capturable": made["amount"]}
    else:
        _charge(books, made, made["amount"], at)


def _charge(
    books: Books, made: dict[str, Any], amount: int, at: int, status: str = "succeeded"
) -> dict[str, Any]:
    holder, _ = books.intents[made["id"]]
    card = made["payment_method"]
    charge = charges.create_charge(
        books,
        amount,
        at=at,
        currency=made["currency"],
        fee=None,
        metadata=made["metadata"],
        transfer_group=made["transfer_group"],
        account=holder,
        personal=None,
        status=status,
        settlement_currency=None,
        application_fee=0,
        destination=None,
        transfer_amount=None,
        payment_intent=made["id"],
        at_once=card == "pm_card_bypassPending",
    )
    made["latest_charge"] = charge["id"]
    if status == "succeeded":
        made |= {"status": "succeeded", "amount_received": amount}
        if card == "pm_card_bypassPending":
            books.announce_balance(holder, at)
    if status == "succeeded" and card in _DISPUTED:
        disputes.open_dispute(
            books,
            charge["id"],
            at=at,
            amount=None,
            fee=_DISPUTE_FEE,
            status=_DISPUTED[card],
            reason="fraudulent",
        )
    return charge


def _held(books: Books, intent_id: str, account: str) -> dict[str, Any]:
    holder, made = books.intents.get(intent_id, (None, {}))
    if holder is None or holder != books.holder(account):
        raise books.missing("payment_intent", intent_id)
    return made


def _unexpected(made: Mapping[str, Any], wish: str) -> RailError:
    return RailError(
        f"This PaymentIntent could not be {wish} because it has a status of {made['status']}.",
        code="payment_intent_unexpected_state",
    )


def _intent(
    books: Books, *, at: int, amount: int, currency: str, metadata: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "id": books.new_id("charge", "pi"),
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "client_secret": None,
        "confirmation_method": "automatic",
        "created": at,
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": books.livemode,
        "metadata": dict(metadata),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "transfer_data": None,
    }
