"""Corruptions of what the rail lists: the balance moved, the object it names is not there.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: objects whose movement is lost (kinds_rail.py).
"""

from __future__ import annotations

from tests.mutation.kinds import Expected, Money, kind

__all__: list[str] = []


@kind
def charge_object_lost(money: Money) -> list[Expected]:
    """A charge is not listed; its movement names it, and the kernel links it to a receipt."""
    sale = money.clean.plain
    money.tables.drop("stripe/charges", id=sale.charge_id)
    party = sale.party.party_id
    return [Expected("REFERENCE_MISSING", -sale.amount_cents, rail=sale.charge_id, party=party)]


@kind
def transfer_object_lost(money: Money) -> list[Expected]:
    """A transfer is not listed; its movement and its payment at the destination are."""
    paid = money.clean.paid
    transfer = money.tables.drop("stripe/transfers", id=paid.transfers[0]["id"])[0]
    return [
        Expected("REFERENCE_MISSING", -paid.amount_cents, rail=transfer["id"], tenant="_platform"),
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
    ]


@kind
def refund_object_lost(money: Money) -> list[Expected]:
    """A refund is not listed; its movement is."""
    sale = money.clean.part
    refund = money.tables.drop("stripe/refunds", charge=sale.charge_id)[0]
    return [
        Expected("REFERENCE_MISSING", -4_000, rail=refund["id"], tenant="_platform"),
        Expected("MISSING_EXTERNAL", 4_000, kernel=sale.receipt_id, party=sale.party.party_id),
    ]


@kind
def bank_payout_object_lost(money: Money) -> list[Expected]:
    """A payout to the bank is not listed; its movement says that the money left."""
    swept = money.clean.swept
    money.tables.drop("stripe/payouts", id=swept["id"])
    money.tables.drop("stripe/payout_members", payout_id=swept["id"])
    party = money.clean.paid.party.party_id
    return [Expected("REFERENCE_MISSING", -swept["amount"], rail=swept["id"], party=party)]


@kind
def top_up_object_lost(money: Money) -> list[Expected]:
    """The platform's balance was raised by a top-up that is not listed."""
    booked = money.transaction(money.clean.plain.charge_id)
    kept = {"type": "topup", "reporting_category": "topup", "amount": 5_000, "fee": 0, "net": 5_000}
    ids = {"id": f"{booked['id']}_raised", "source": f"tu_{booked['id']}"}
    money.tables.copy("stripe/balance_transactions", booked, **ids, **kept)
    return [Expected("REFERENCE_MISSING", -5_000, rail=ids["source"], tenant="_platform")]


@kind
def transfer_movement_of_other_category(money: Money) -> list[Expected]:
    """A transfer's movement says that it was a charge: it moved, but not as that transfer."""
    paid = money.clean.paid
    transfer = paid.transfers[0]["id"]
    money.transaction(transfer)["reporting_category"] = "charge"
    return [
        money.on_payout("MISSING_INTERNAL", paid.amount_cents, paid, rail=transfer),
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid, rail=transfer, kernel=None),
    ]


@kind
def payment_of_two_transfers(money: Money) -> list[Expected]:
    """A transfer names the payment that another brought: it went out, and nothing of it arrived."""
    paid, other = money.clean.paid, money.clean.recalled
    mine, theirs = money.transfer(paid), money.transfer(other)
    payment = mine["destination_payment"]
    money.tables.drop("stripe/charges", id=payment)
    money.drop_transactions(payment)
    mine["destination_payment"] = theirs["destination_payment"]
    party = paid.party.party_id
    return [
        Expected(
            "MISSING_EXTERNAL", paid.amount_cents, rail=mine["id"], payout=paid.key, party=party
        )
    ]


@kind
def dispute_return_of_other_category(money: Money) -> list[Expected]:
    """The money of a won dispute came back as if it were another charge: no receipt asks for it."""
    dispute = money.clean.won
    returned = money.transaction(dispute["id"], "dispute_reversal")
    returned["reporting_category"] = "charge"
    drift = -returned["amount"]
    return [Expected("MISSING_INTERNAL", drift, rail=dispute["id"], tenant="_platform")]
