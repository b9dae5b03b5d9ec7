"""Corruptions of money that goes back to customers: refunds and disputes.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: charges (kinds_customers.py), the rail's own bookkeeping (kinds_rail.py).
"""

from __future__ import annotations

from datetime import timedelta

from ingest.simulator.partner import Sale
from tests.mutation.kinds import PLATFORM_TENANT, Expected, Money, kind
from tests.mutation.landed import Row

__all__: list[str] = []


def _on_sale(code: str, drift: int, sale: Sale, **fields: object) -> Expected:
    known = {"kernel": sale.receipt_id, "party": sale.party.party_id}
    return Expected(code, drift, **(known | {"currency": sale.party.currency} | fields))  # type: ignore[arg-type]


@kind
def refund_lost(money: Money) -> list[Expected]:
    """A refund that the kernel booked has no trace at the rail."""
    sale = money.clean.part
    refund = money.tables.drop("stripe/refunds", charge=sale.charge_id)[0]
    money.drop_transactions(refund["id"])
    money.charge(sale.charge_id)["amount_refunded"] = 0
    return [_on_sale("MISSING_EXTERNAL", 4_000, sale)]


def _refund(money: Money) -> Row:
    return money.rail("refunds", charge=money.clean.part.charge_id)


def _resize_refund(money: Money, cents: int) -> str:
    refund = money.rail("refunds", charge=money.clean.part.charge_id)
    refund["amount"] += cents
    money.charge(money.clean.part.charge_id)["amount_refunded"] += cents
    money.add_net(money.transaction(refund["id"]), -cents)
    return str(refund["id"])


@kind
def refund_over(money: Money) -> list[Expected]:
    """A refund gives back 5.00 more than the kernel booked."""
    named = _resize_refund(money, 500)
    return [_on_sale("MISSING_INTERNAL", -500, money.clean.part, rail=named)]


@kind
def refund_under(money: Money) -> list[Expected]:
    """A refund gives back 5.00 less than the kernel booked."""
    _resize_refund(money, -500)
    return [_on_sale("AMOUNT_UNDER", 500, money.clean.part)]


@kind
def refund_unbooked(money: Money) -> list[Expected]:
    """A refund of 25.00 that no receipt knows."""
    sale, model = money.clean.plain, _refund(money)
    made = money.tables.copy(
        "stripe/refunds",
        model,
        id=f"{model['id']}_more",
        charge=sale.charge_id,
        amount=2_500,
        balance_transaction=f"txn_more_{sale.charge_id}",
    )
    money.tables.copy(
        "stripe/balance_transactions",
        money.transaction(str(model["id"])),
        id=made["balance_transaction"],
        source=made["id"],
        amount=-2_500,
        net=-2_500,
    )
    money.charge(sale.charge_id)["amount_refunded"] += 2_500
    return [_on_sale("MISSING_INTERNAL", -2_500, sale, rail=made["id"])]


@kind
def refund_came_back(money: Money) -> list[Expected]:
    """A refund failed and its money came back: the customer is still to be refunded."""
    refund = _refund(money)
    refund["status"] = "failed"
    money.charge(money.clean.part.charge_id)["amount_refunded"] = 0
    money.copy_transaction(
        str(refund["id"]), amount=4_000, net=4_000, reporting_category="refund_failure"
    )
    return [_on_sale("MISSING_EXTERNAL", 4_000, money.clean.part)]


@kind
def refund_failed_and_kept(money: Money) -> list[Expected]:
    """A refund says it failed; its money never came back to the balance."""
    refund = _refund(money)
    refund["status"] = "failed"
    money.charge(money.clean.part.charge_id)["amount_refunded"] = 0
    return [
        _on_sale("STATUS_CONFLICT", 4_000, money.clean.part, rail=str(refund["id"]), kernel=None)
    ]


@kind
def dispute_not_withdrawn(money: Money) -> list[Expected]:
    """A lost dispute moved no money."""
    dispute, sale = money.clean.lost, money.clean.disputed_lost
    money.drop_transactions(dispute["id"])
    money.tables.drop("stripe/dispute_balance_transactions", dispute_id=dispute["id"])
    return [
        _on_sale("DISPUTE_NOT_BOOKED", dispute["amount"], sale, rail=dispute["id"], kernel=None)
    ]


@kind
def dispute_won_not_returned(money: Money) -> list[Expected]:
    """A dispute was won and its money did not come back."""
    dispute = money.clean.won
    money.drop_transactions(dispute["id"], "dispute_reversal")
    money.tables.drop(
        "stripe/dispute_balance_transactions",
        dispute_id=dispute["id"],
        reporting_category="dispute_reversal",
    )
    return [_conflict(money, money.clean.disputed_won, dispute["id"], -dispute["amount"])]


@kind
def dispute_lost_called_won(money: Money) -> list[Expected]:
    """A dispute whose money is gone says it was won."""
    dispute = money.clean.lost
    money.rail("disputes", id=dispute["id"])["status"] = "won"
    return [_conflict(money, money.clean.disputed_lost, dispute["id"], -dispute["amount"])]


@kind
def dispute_won_called_lost(money: Money) -> list[Expected]:
    """A dispute whose money came back says it was lost."""
    dispute = money.clean.won
    money.rail("disputes", id=dispute["id"])["status"] = "lost"
    return [_conflict(money, money.clean.disputed_won, dispute["id"], dispute["amount"])]


@kind
def inquiry_withdrew_money(money: Money) -> list[Expected]:
    """An inquiry, which moves no money, withdrew some."""
    dispute = money.clean.lost
    money.rail("disputes", id=dispute["id"])["status"] = "warning_under_review"
    return [_conflict(money, money.clean.disputed_lost, dispute["id"], -dispute["amount"])]


def _return_again(money: Money) -> int:
    returned = money.transaction(money.clean.won["id"], "dispute_reversal")
    named = f"{returned['id']}_again"
    money.tables.copy("stripe/balance_transactions", returned, id=named)
    return int(returned["amount"])


@kind
def dispute_won_and_returned_twice(money: Money) -> list[Expected]:
    """A dispute was won and its money came back twice."""
    dispute, drift = money.clean.won, _return_again(money)
    return [_conflict(money, money.clean.disputed_won, dispute["id"], drift)]


@kind
def dispute_won_and_returned_in_another_currency(money: Money) -> list[Expected]:
    """A won dispute's dollars came back as as many euros: neither pays for the other."""
    dispute, sale = money.clean.won, money.clean.disputed_won
    returned = money.transaction(dispute["id"], "dispute_reversal")
    listed = money.rail("dispute_balance_transactions", balance_transaction_id=returned["id"])
    returned["currency"] = listed["currency"] = "eur"
    amount = dispute["amount"]
    return [
        _conflict(money, sale, dispute["id"], -amount),
        _on_sale("SIGN_MISMATCH", amount, sale, rail=dispute["id"], kernel=None, currency="EUR"),
    ]


@kind
def inquiry_brought_money(money: Money) -> list[Expected]:
    """An inquiry, which moves no money, brought more than it took."""
    dispute, drift = money.clean.won, _return_again(money)
    money.rail("disputes", id=dispute["id"])["status"] = "warning_closed"
    return [_conflict(money, money.clean.disputed_won, dispute["id"], drift)]


@kind
def dispute_brought_money(money: Money) -> list[Expected]:
    """The withdrawal of a lost dispute put money into the balance."""
    dispute = money.clean.lost
    withdrawn = money.transaction(dispute["id"])
    money.add_net(withdrawn, -2 * withdrawn["amount"])
    listed = money.rail("dispute_balance_transactions", dispute_id=dispute["id"])
    listed |= {"amount": withdrawn["amount"], "net": withdrawn["net"]}
    drift = 2 * dispute["amount"]
    sale = money.clean.disputed_lost
    return [_on_sale("SIGN_MISMATCH", drift, sale, rail=dispute["id"], kernel=None)]


@kind
def dispute_won_and_then_lost(money: Money) -> list[Expected]:
    """A dispute was won, its money came back, and it was lost after all; nothing is wrong."""
    dispute = money.clean.won
    withdrawn = money.transaction(dispute["id"], "dispute")
    money.tables.copy(
        "stripe/balance_transactions",
        withdrawn,
        id=f"{withdrawn['id']}_again",
        created=withdrawn["created"] + timedelta(days=16),
        fee=0,
        net=withdrawn["amount"],
    )
    money.rail("disputes", id=dispute["id"])["status"] = "lost"
    return []


def _conflict(money: Money, sale: Sale, dispute_id: str, drift: int) -> Expected:
    return _on_sale("STATUS_CONFLICT", drift, sale, rail=dispute_id, kernel=None)


@kind
def dispute_withdrew_too_much(money: Money) -> list[Expected]:
    """A dispute withdrew 8.00 more than it is about."""
    dispute = money.clean.lost
    money.add_net(money.transaction(dispute["id"]), -800)
    listed = money.rail("dispute_balance_transactions", dispute_id=dispute["id"])
    listed |= {"amount": listed["amount"] - 800, "net": listed["net"] - 800}
    sale = money.clean.disputed_lost
    return [_on_sale("AMOUNT_OVER", -800, sale, rail=dispute["id"], kernel=None)]


@kind
def dispute_movement_unswept(money: Money) -> list[Expected]:
    """A dispute lists a movement that the balance does not show."""
    dispute, sale = money.clean.lost, money.clean.disputed_lost
    money.drop_transactions(dispute["id"])
    return [_on_sale("MISSING_EXTERNAL", dispute["amount"], sale, rail=dispute["id"], kernel=None)]


@kind
def dispute_of_a_stranger(money: Money) -> list[Expected]:
    """A disputed charge is linked to nobody: neither charge nor dispute has a party."""
    dispute, sale = money.clean.lost, money.clean.disputed_lost
    money.drop_kernel("charge_links", charge_id=sale.charge_id)
    return [
        Expected(
            "MISSING_INTERNAL", -sale.amount_cents, rail=sale.charge_id, tenant=PLATFORM_TENANT
        ),
        Expected(
            "DISPUTE_NOT_BOOKED", -dispute["amount"], rail=dispute["id"], tenant=PLATFORM_TENANT
        ),
    ]
