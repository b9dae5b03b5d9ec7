"""Money from the platform to connected accounts.

Belongs here: transfers (plain, tied to a charge, of destination charges) and their payments on the
destination. Does not belong here: pulling them back (reversals.py), payouts to banks (payouts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.simulator import customer_objects, objects
from ingest.simulator import personal as personal_data
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.facts import TransferFacts, positive
from ingest.simulator.fees import APPLICATION_ID, file_application_fee
from ingest.simulator.ledger import FeePart, Leg, Posting

__all__ = [
    "check_destination",
    "create_transfer",
    "exchanged",
    "send_for_charge",
    "update_transfer",
]

_NO_FUNDS = (
    "You have insufficient available funds in your Stripe account: got {got} {currency} available,"
    " expected at least {wanted}. Top up the platform or wait for charges to settle."
)


def create_transfer(
    books: Books,
    amount: int,
    *,
    at: int,
    destination: str,
    currency: str,
    transfer_group: str | None,
    metadata: Mapping[str, str] | None,
    source_transaction: str | None,
    description: str | None,
    personal: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Send platform money; see `Rail.create_transfer`."""
    positive(amount)
    check_destination(books, destination, amount, currency)
    available_on = at
    if source_transaction is not None:
        available_on = _draw_on_charge(books, source_transaction, amount, currency)
        group = books.record("charge", source_transaction)["transfer_group"]
        transfer_group = transfer_group or group or f"group_{source_transaction}"
    elif books.check_funds:
        got = books.ledger.available(books.platform_id, currency, at)
        if got < amount:
            raise RailError(
                _NO_FUNDS.format(got=got, currency=currency, wanted=amount),
                code="balance_insufficient",
                executed=True,
            )
    made = objects.transfer(
        object_id=books.new_id("transfer"),
        amount=amount,
        currency=currency,
        created=at,
        livemode=books.livemode,
        destination=destination,
        destination_payment=books.new_id("charge", "py"),
        metadata=metadata,
        transfer_group=transfer_group,
        source_transaction=source_transaction,
        description=description,
    )
    if personal is not None:
        personal_data.into_text(made, personal)
    _send(books, made, available_on=available_on, application_fee=0)
    return books.show("transfer", made["id"])


def send_for_charge(
    books: Books,
    charge_id: str,
    *,
    destination: str,
    amount: int | None,
    application_fee: int,
    at: int,
) -> None:
    """Post the transfer of a destination charge and the platform's cut of it."""
    charge = books.record("charge", charge_id)
    made = objects.transfer(
        object_id=books.new_id("transfer"),
        amount=charge["amount"] if amount is None else amount,
        currency=charge["currency"],
        created=at,
        livemode=books.livemode,
        destination=destination,
        destination_payment=books.new_id("charge", "py"),
        transfer_group=charge["transfer_group"] or f"group_{charge_id}",
        source_transaction=charge_id,
    )
    charge |= {
        "transfer": made["id"],
        "transfer_data": {"amount": amount, "destination": destination},
        "transfer_group": made["transfer_group"],
    }
    available_on = _draw_on_charge(books, charge_id, made["amount"], made["currency"])
    _send(books, made, available_on=available_on, application_fee=application_fee)
    books.changed("charge", charge_id)
    books.event("charge.updated", "charge", charge_id, at=at)


def check_destination(books: Books, destination: str, amount: int, currency: str) -> None:
    """Refuse a destination that is unknown, not capable, or whose currency has no rate."""
    if destination not in books.shelf("account"):
        raise RailError(
            f"No such destination: '{destination}'", code="resource_missing", param="destination"
        )
    capabilities = books.record("account", destination)["capabilities"]
    if capabilities.get("transfers") != "active":
        raise RailError(
            "Your destination account needs to have at least one of the following capabilities"
            " enabled: transfers, crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
            executed=True,
        )
    there = books.account_record(destination)["default_currency"]
    books.convert(amount, currency, there)


def _draw_on_charge(books: Books, charge_id: str, amount: int, currency: str) -> int:
    """Count a transfer against its source charge; return when that charge becomes available."""
    facts = books.charge_facts.get(charge_id)
    if facts is None or facts.account != books.platform_id:
        raise RailError(
            f"No such charge: '{charge_id}'", code="resource_missing", param="source_transaction"
        )
    charge = books.record("charge", charge_id)
    settled = books.at_rate(charge["amount"], facts.exchange_rate)
    if charge["status"] != "succeeded" or currency != facts.settlement_currency:
        raise RailError(
            f"got source_transaction {charge_id} ({charge['status']},"
            f" {facts.settlement_currency}); expected a succeeded charge in {currency}",
            param="source_transaction",
        )
    if facts.sent + amount > settled:
        raise RailError(
            f"got transfers of {facts.sent + amount} from {charge_id}; expected at most {settled}",
            param="amount",
            executed=True,
        )
    facts.sent += amount
    return facts.available_on


def _send(books: Books, made: dict[str, Any], *, available_on: int, application_fee: int) -> None:
    there = books.account_record(made["destination"])["default_currency"]
    arrived, rate = books.convert(made["amount"], made["currency"], there)
    at = made["created"]
    payment = customer_objects.charge(
        object_id=made["destination_payment"],
        amount=arrived,
        currency=there,
        created=at,
        livemode=books.livemode,
        source_transfer=made["id"],
    )
    fees: tuple[FeePart, ...] = ()
    cut: list[Leg] = []
    if application_fee:
        fees = (FeePart(application_fee, "application_fee", "Application fee", APPLICATION_ID),)
        cut = [
            file_application_fee(
                books,
                payment,
                application_fee,
                made["destination"],
                payment["id"],
                at,
                originating=made["source_transaction"],
            )
        ]
        charge = books.record("charge", made["source_transaction"])
        charge |= {
            name: payment[name]
            for name in ("application", "application_fee", "application_fee_amount")
        }
    ours = books.leg(
        books.platform_id,
        made["currency"],
        -made["amount"],
        "transfer",
        "transfer",
        source=made["id"],
        at=at,
        available_on=available_on,
        description=made["description"],
    )
    theirs = books.leg(
        made["destination"],
        there,
        arrived,
        "payment",
        "charge",
        source=payment["id"],
        at=at,
        available_on=available_on,
        fees=fees,
        exchange_rate=rate,
    )
    books.post("transfer", [ours, theirs, *cut], exchanged(ours, theirs))
    made["balance_transaction"] = ours.txn_id
    payment["balance_transaction"] = theirs.txn_id
    books.transfer_facts[made["id"]] = TransferFacts(arrived, there, rate)
    books.add("transfer", made)
    books.add("charge", payment, made["destination"])
    books.event("transfer.created", "transfer", made["id"], at=at)


def exchanged(ours: Leg, theirs: Leg) -> list[Posting]:
    """Return the currency exchange between two legs, nothing where they share a currency."""
    if ours.currency == theirs.currency:
        return []
    return [
        Posting("outside:exchange", ours.currency, -ours.amount),
        Posting("outside:exchange", theirs.currency, -theirs.amount),
    ]


def update_transfer(
    books: Books,
    transfer_id: str,
    *,
    at: int,
    metadata: Mapping[str, str] | None,
    description: str | None,
) -> dict[str, Any]:
    """Change a transfer's texts; an empty metadata value removes its key."""
    transfer = books.record("transfer", transfer_id)
    for name, value in (metadata or {}).items():
        transfer["metadata"].pop(name, None)
        if value:
            transfer["metadata"][name] = value
    if description is not None:
        transfer["description"] = description or None
    books.changed("transfer", transfer_id)
    books.event("transfer.updated", "transfer", transfer_id, at=at)
    return books.show("transfer", transfer_id)
