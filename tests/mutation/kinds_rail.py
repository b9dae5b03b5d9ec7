"""Corruptions of the rail's own bookkeeping: its objects against its balance, fees, bank payouts.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: what the kernel says (kinds_payouts.py, kinds_customers.py, kinds_kernel.py).
"""

from __future__ import annotations

from tests.mutation.kinds import Expected, Money, kind
from tests.mutation.landed import Row

__all__: list[str] = []


def _on_charge(money: Money, code: str, drift: int, **fields: object) -> Expected:
    sale = money.clean.plain
    known = {"rail": sale.charge_id, "party": sale.party.party_id}
    return Expected(code, drift, **(known | fields))  # type: ignore[arg-type]


@kind
def charge_movement_lost(money: Money) -> list[Expected]:
    """A charge has no balance transaction."""
    sale = money.clean.plain
    money.drop_transactions(sale.charge_id)
    return [_on_charge(money, "MISSING_EXTERNAL", sale.amount_cents, kernel=sale.receipt_id)]


@kind
def charge_movement_short(money: Money) -> list[Expected]:
    """A charge's balance transaction is 3.00 smaller than charge and receipt."""
    money.add_net(money.transaction(money.clean.plain.charge_id), -300)
    return [_on_charge(money, "AMOUNT_UNDER", 300)]


@kind
def charge_object_differs(money: Money) -> list[Expected]:
    """A charge says 3.00 more than its balance transaction and its receipt."""
    money.charge(money.clean.plain.charge_id)["amount"] += 300
    return [_on_charge(money, "AMOUNT_UNDER", 300)]


@kind
def charge_movement_twice(money: Money) -> list[Expected]:
    """A charge's balance transaction is there twice."""
    money.copy_transaction(money.clean.plain.charge_id)
    return [_on_charge(money, "DUPLICATE_EXTERNAL", -money.clean.plain.amount_cents)]


@kind
def charge_movement_reversed_sign(money: Money) -> list[Expected]:
    """A charge took money out of the balance."""
    transaction = money.transaction(money.clean.plain.charge_id)
    amount = transaction["amount"]
    money.add_net(transaction, -2 * amount)
    return [_on_charge(money, "SIGN_MISMATCH", 2 * amount)]


@kind
def charge_movement_without_source(money: Money) -> list[Expected]:
    """A charge's balance transaction names no source; the charge names it. Nothing is wrong."""
    money.transaction(money.clean.plain.charge_id)["source"] = None
    return []


@kind
def charge_movement_of_unknown_category(money: Money) -> list[Expected]:
    """A charge's balance transaction has a category that no seed knows."""
    sale = money.clean.plain
    money.transaction(sale.charge_id)["reporting_category"] = "network_cost"
    return [
        _on_charge(money, "UNCLASSIFIED", -sale.amount_cents),
        _on_charge(money, "MISSING_EXTERNAL", sale.amount_cents, kernel=sale.receipt_id),
    ]


@kind
def transfer_movement_lost(money: Money) -> list[Expected]:
    """A transfer has no balance transaction on the platform."""
    paid = money.clean.paid
    money.drop_transactions(paid.transfers[0]["id"])
    return [_on_transfer(money, "MISSING_EXTERNAL", paid.amount_cents)]


@kind
def transfer_movement_short(money: Money) -> list[Expected]:
    """A transfer took 3.00 less out of the balance than it says."""
    money.add_net(money.transaction(money.clean.paid.transfers[0]["id"]), 300)
    return [_on_transfer(money, "AMOUNT_UNDER", 300)]


@kind
def transfer_movement_twice(money: Money) -> list[Expected]:
    """A transfer's balance transaction is there twice."""
    paid = money.clean.paid
    money.copy_transaction(paid.transfers[0]["id"])
    return [_on_transfer(money, "DUPLICATE_EXTERNAL", -paid.amount_cents, payout=None)]


@kind
def transfer_movement_reversed_sign(money: Money) -> list[Expected]:
    """A transfer put money into the balance."""
    paid = money.clean.paid
    money.add_net(money.transaction(paid.transfers[0]["id"]), 2 * paid.amount_cents)
    return [_on_transfer(money, "SIGN_MISMATCH", 2 * paid.amount_cents)]


@kind
def transfer_movement_without_source(money: Money) -> list[Expected]:
    """A transfer's balance transaction names no source; the transfer names it. Nothing is wrong."""
    money.transaction(money.clean.paid.transfers[0]["id"])["source"] = None
    return []


def _on_transfer(money: Money, code: str, drift: int, **fields: object) -> Expected:
    paid = money.clean.paid
    known = {"rail": paid.transfers[0]["id"], "party": paid.party.party_id, "payout": paid.key}
    return Expected(code, drift, **(known | fields))  # type: ignore[arg-type]


@kind
def payment_at_destination_lost(money: Money) -> list[Expected]:
    """A transfer left the platform and never arrived."""
    paid = money.clean.paid
    payment = money.transfer(paid)["destination_payment"]
    money.tables.drop("stripe/charges", id=payment)
    money.drop_transactions(payment)
    return [_on_transfer(money, "MISSING_EXTERNAL", paid.amount_cents, rail=payment)]


@kind
def payment_at_destination_short(money: Money) -> list[Expected]:
    """2.00 less arrived than the transfer sent."""
    payment = money.transfer(money.clean.paid)["destination_payment"]
    money.charge(payment)["amount"] -= 200
    money.add_net(money.transaction(payment), -200)
    return [_on_transfer(money, "AMOUNT_UNDER", 200, rail=payment)]


@kind
def payment_movement_lost(money: Money) -> list[Expected]:
    """A payment that arrived has no balance transaction on its account."""
    paid = money.clean.paid
    payment = money.transfer(paid)["destination_payment"]
    money.drop_transactions(payment)
    return [_on_transfer(money, "MISSING_EXTERNAL", paid.amount_cents, rail=payment, payout=None)]


@kind
def payment_movement_twice(money: Money) -> list[Expected]:
    """A payment that arrived has its balance transaction on its account twice."""
    paid = money.clean.paid
    payment = money.transfer(paid)["destination_payment"]
    money.copy_transaction(payment)
    return [
        _on_transfer(money, "DUPLICATE_EXTERNAL", -paid.amount_cents, rail=payment, payout=None)
    ]


@kind
def bank_payout_movement_twice(money: Money) -> list[Expected]:
    """A bank payout left its account twice."""
    swept = money.clean.swept
    money.copy_transaction(swept["id"])
    return [_on_bank(money, "DUPLICATE_EXTERNAL", -swept["amount"])]


@kind
def movement_at_destination_of_unknown_category(money: Money) -> list[Expected]:
    """A party's account has a balance transaction of a category that no seed knows."""
    paid = money.clean.paid
    payment = money.transfer(paid)["destination_payment"]
    made = money.copy_transaction(
        payment, source=None, reporting_category="unheard_of", amount=777, net=777
    )
    return [_on_transfer(money, "UNCLASSIFIED", -777, rail=made["id"], payout=None)]


@kind
def refund_movement_lost(money: Money) -> list[Expected]:
    """A refund has no balance transaction."""
    sale = money.clean.part
    refund = money.rail("refunds", charge=sale.charge_id)
    money.drop_transactions(refund["id"])
    return [Expected("MISSING_EXTERNAL", 4_000, kernel=sale.receipt_id, party=sale.party.party_id)]


@kind
def refund_movement_twice(money: Money) -> list[Expected]:
    """A refund's balance transaction is there twice."""
    sale = money.clean.part
    refund = money.rail("refunds", charge=sale.charge_id)
    money.copy_transaction(refund["id"])
    return [Expected("DUPLICATE_EXTERNAL", -4_000, rail=refund["id"], party=sale.party.party_id)]


@kind
def refund_miscounted(money: Money) -> list[Expected]:
    """A charge says that 1.00 more was given back than its refunds sum to."""
    money.charge(money.clean.part.charge_id)["amount_refunded"] += 100
    party = money.clean.part.party.party_id
    return [Expected("STATUS_CONFLICT", 100, rail=money.clean.part.charge_id, party=party)]


def _fee(money: Money) -> tuple[Row, Expected]:
    transaction = money.transaction(money.clean.plain.charge_id)
    named = Expected(
        "FEE_VARIANCE", 0, rail=transaction["id"], party=money.clean.plain.party.party_id
    )
    return transaction, named


@kind
def fee_above_its_lines(money: Money) -> list[Expected]:
    """A balance transaction keeps 0.07 more as its fee than its lines say."""
    transaction, named = _fee(money)
    transaction |= {"fee": transaction["fee"] + 7, "net": transaction["net"] - 7}
    return [Expected("FEE_VARIANCE", -7, rail=named.rail, party=named.party)]


@kind
def fee_line_changed(money: Money) -> list[Expected]:
    """A fee line says 0.05 more than was kept."""
    transaction, named = _fee(money)
    key = {"account_id": transaction["account_id"], "balance_transaction_id": transaction["id"]}
    money.tables.where("stripe/balance_transaction_fees", **key)[0]["amount"] += 5
    return [Expected("FEE_VARIANCE", 5, rail=named.rail, party=named.party)]


@kind
def net_does_not_follow(money: Money) -> list[Expected]:
    """A balance transaction's net is 0.11 above amount minus fee."""
    transaction, named = _fee(money)
    transaction["net"] += 11
    return [Expected("FEE_VARIANCE", 11, rail=named.rail, party=named.party)]


@kind
def bank_payout_of_other_members(money: Money) -> list[Expected]:
    """A member of an automatic bank payout is 0.40 smaller than the payout needs."""
    swept = money.clean.swept
    rows = money.tables.where("stripe/payout_members", payout_id=swept["id"])
    next(row for row in rows if row["net"] > 0)["net"] -= 40
    return [_on_bank(money, "AMOUNT_UNDER", 40)]


@kind
def bank_payout_failed_and_kept(money: Money) -> list[Expected]:
    """A bank payout says it failed; its money never came back to the account."""
    swept = money.clean.swept
    money.rail("payouts", id=swept["id"])["status"] = "failed"
    return [_on_bank(money, "STATUS_CONFLICT", -swept["amount"])]


@kind
def bank_payout_movement_lost(money: Money) -> list[Expected]:
    """A bank payout has no balance transaction."""
    swept = money.clean.swept
    money.drop_transactions(swept["id"])
    return [_on_bank(money, "MISSING_EXTERNAL", swept["amount"])]


def _on_bank(money: Money, code: str, drift: int) -> Expected:
    return Expected(
        code, drift, rail=money.clean.swept["id"], party=money.clean.paid.party.party_id
    )
