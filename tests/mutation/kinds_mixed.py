"""Faults that meet on one payout, and faults of months, currencies and legs that seldom come alone.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: pairs drawn at random (`harness.py`), faults between two parties
(`kinds_pairs.py`).
"""

from __future__ import annotations

from datetime import timedelta

from tests.mutation.kinds import ANCHOR, Expected, Money, kind
from tests.mutation.kinds_matching import in_currency, instruct_lately

__all__: list[str] = []


@kind
def transfer_short_and_operation_in_other_currency(money: Money) -> list[Expected]:
    """A transfer is a cent short; its operation says euros."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    money.resize_transfer(transfer, -1)
    operation = money.operation(paid)
    operation["currency"] = "EUR"
    return [
        money.on_payout("AMOUNT_UNDER", 1, paid, rail=transfer["id"]),
        money.on_payout(
            "CURRENCY_MISMATCH", paid.amount_cents, paid, kernel=operation["operation_id"]
        ),
    ]


@kind
def transfer_follows_an_operation_of_other_amount(money: Money) -> list[Expected]:
    """The operation says 9.00 less, and so much was sent: one fault, said once."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    money.resize_transfer(transfer, -900)
    money.operation(paid)["amount_cents"] -= 900
    return [money.on_payout("AMOUNT_UNDER", 900, paid, rail=transfer["id"])]


@kind
def transfer_missing_and_operation_of_other_amount(money: Money) -> list[Expected]:
    """Nothing was sent, and the operation says 9.00 less than the instruction."""
    paid = money.clean.paid
    money.drop_transfer(money.transfer(paid))
    operation = money.operation(paid)
    operation["amount_cents"] -= 900
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        money.on_payout("AMOUNT_UNDER", 900, paid, kernel=operation["operation_id"]),
    ]


@kind
def payout_not_due_and_operation_of_other_amount(money: Money) -> list[Expected]:
    """A payout may still come; its operation says 9.00 more than it was instructed."""
    artifact, key = instruct_lately(money)
    paid = money.clean.paid
    made = money.tables.copy(
        "kernel/money_rail_operations",
        money.operation(paid),
        operation_id=f"mop_{key}",
        payout_key=key,
        provider_ref=None,
        state="submitted",
        amount_cents=paid.amount_cents + 900,
    )
    named = {"payout": key}
    return [
        Expected("TIMING", paid.amount_cents, kernel=artifact, **named),
        Expected("AMOUNT_OVER", -900, kernel=made["operation_id"], **named),
    ]


@kind
def split_leg_taken_back(money: Money) -> list[Expected]:
    """One of the two transfers of a payout is reversed in full; the kernel does not know."""
    split = money.clean.split
    leg = money.transfer(split)
    money.take_back(leg, leg["amount"])
    return [money.on_payout("STATUS_CONFLICT", leg["amount"], split, rail=leg["id"])]


@kind
def split_leg_taken_back_and_sent_again(money: Money) -> list[Expected]:
    """One of the two transfers of a payout is reversed and sent again: the payout is paid."""
    leg = money.transfer(money.clean.split)
    money.copy_transfer(leg, after=timedelta(hours=2))
    money.take_back(leg, leg["amount"])
    return []


@kind
def split_leg_lost_and_the_other_taken_back(money: Money) -> list[Expected]:
    """One transfer of a payout never was, and the other came back unbooked."""
    split = money.clean.split
    lost, kept = money.transfer(split), money.transfer(split, 1)
    cents = lost["amount"]
    money.drop_transfer(lost)
    money.take_back(kept, kept["amount"])
    return [
        money.on_payout("AMOUNT_UNDER", cents, split, rail=kept["id"]),
        money.on_payout("STATUS_CONFLICT", kept["amount"], split, rail=kept["id"]),
    ]


@kind
def refund_of_last_months_sale_after_its_payout(money: Money) -> list[Expected]:
    """A sale that was paid out last month is refunded in this one; no receipt knows."""
    sale = money.clean.plain
    model = money.rail("refunds", charge=money.clean.part.charge_id)
    at = ANCHOR - timedelta(days=1)
    made = money.tables.copy(
        "stripe/refunds",
        model,
        id=f"{model['id']}_later",
        charge=sale.charge_id,
        amount=sale.amount_cents,
        balance_transaction=f"txn_later_{sale.charge_id}",
        created=at,
    )
    money.tables.copy(
        "stripe/balance_transactions",
        money.transaction(str(model["id"])),
        id=made["balance_transaction"],
        source=made["id"],
        amount=-sale.amount_cents,
        net=-sale.amount_cents,
        created=at,
    )
    money.charge(sale.charge_id)["amount_refunded"] = sale.amount_cents
    named = {"kernel": sale.receipt_id, "party": sale.party.party_id}
    return [Expected("MISSING_INTERNAL", -sale.amount_cents, rail=made["id"], **named)]


@kind
def transfer_one_yen_under(money: Money) -> list[Expected]:
    """A transfer of a currency without decimals is one yen short."""
    in_currency(money, "JPY", -1)
    return [money.on_payout("AMOUNT_UNDER", 1, money.clean.euro, currency="JPY")]


@kind
def transfer_repeated_to_another_partys_account(money: Money) -> list[Expected]:
    """A transfer is sent again, under the same references, to another party's account."""
    paid, beta = money.clean.paid, money.clean.beta
    again = money.copy_transfer(
        money.transfer(paid), after=timedelta(hours=1), destination=beta.account_id
    )
    money.charge(again["destination_payment"])["account_id"] = beta.account_id
    money.transaction(again["destination_payment"])["account_id"] = beta.account_id
    return [
        money.on_payout(
            *("DESTINATION_MISMATCH", -paid.amount_cents, paid),
            rail=again["id"],
            party=beta.party_id,
        )
    ]


@kind
def lost_dispute_recovered_in_part_unbooked(money: Money) -> list[Expected]:
    """20.00 of a party's payout are taken back for a dispute it lost; the kernel booked none."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    money.take_back(transfer, 2_000)
    return [money.on_payout("STATUS_CONFLICT", 2_000, paid, rail=transfer["id"])]
