"""Faults whose two ends lie apart: in other months, tenants, parties, currencies or objects.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: pairs within one payout or one charge (kinds_pairs.py, kinds_mixed.py).
"""

from __future__ import annotations

from datetime import timedelta

from ingest.simulator.partner import Sale
from tests.mutation.kinds import ANCHOR, Expected, Money, kind
from tests.mutation.landed import Row

__all__: list[str] = []


def _on_sale(code: str, drift: int, sale: Sale, rail: str, currency: str = "") -> Expected:
    return Expected(
        code,
        drift,
        rail=rail,
        kernel=sale.receipt_id,
        party=sale.party.party_id,
        currency=currency or sale.party.currency,
    )


@kind
def transfer_short_and_the_next_months_over(money: Money) -> list[Expected]:
    """One party's transfer is 10.00 short, and that of the next month is 10.00 over."""
    late = money.transfer(money.clean.paid)
    (early,) = [
        row
        for row in money.tables.where("stripe/transfers", destination=late["destination"])
        if row["id"] != late["id"]
    ]
    money.resize_transfer(early, -1_000)
    money.resize_transfer(late, 1_000)
    return [
        Expected("AMOUNT_UNDER", 1_000, rail=early["id"], payout=early["transfer_group"]),
        money.on_payout("AMOUNT_OVER", -1_000, money.clean.paid, rail=late["id"]),
    ]


@kind
def transfer_short_and_another_currencys_over(money: Money) -> list[Expected]:
    """A euro transfer is 4.00 short and a dollar transfer of another party 4.00 over."""
    euro, paid = money.clean.euro, money.clean.paid
    money.resize_transfer(money.transfer(euro), -400)
    money.resize_transfer(money.transfer(paid), 400)
    return [
        money.on_payout("AMOUNT_UNDER", 400, euro),
        money.on_payout("AMOUNT_OVER", -400, paid),
    ]


@kind
def transfer_names_the_operation_of_another_tenant(money: Money) -> list[Expected]:
    """A transfer to one tenant's party carries the id of another tenant's operation."""
    paid, other = money.clean.paid, money.neighbour.paid
    transfer = money.transfer(paid)
    transfer["meta_operation_id"] = money.tables.one(
        "kernel/money_rail_operations", tenant_id=money.neighbour.tenant_id, payout_key=other.key
    )["operation_id"]
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        Expected(
            "DESTINATION_MISMATCH",
            -paid.amount_cents,
            rail=transfer["id"],
            payout=other.key,
            tenant=money.neighbour.tenant_id,
        ),
    ]


@kind
def refund_names_another_charge(money: Money) -> list[Expected]:
    """A booked refund of 40.00 stands at another sale of the same party."""
    part, other = money.clean.part, money.clean.other
    refund = money.rail("refunds", charge=part.charge_id)
    refund["charge"] = other.charge_id
    money.charge(part.charge_id)["amount_refunded"] = 0
    money.charge(other.charge_id)["amount_refunded"] = 4_000
    return [
        _on_sale("MISSING_EXTERNAL", 4_000, part, part.charge_id),
        _on_sale("MISSING_INTERNAL", -4_000, other, refund["id"]),
    ]


@kind
def reversal_names_another_transfer(money: Money) -> list[Expected]:
    """The reversal that the kernel booked for one payout takes back another party's transfer."""
    recalled, paid = money.clean.recalled, money.clean.paid
    named, wrong = money.transfer(recalled), money.transfer(paid)
    reversal = money.rail("transfer_reversals", transfer=named["id"])
    reversal["transfer"] = wrong["id"]
    named |= {"amount_reversed": 0, "reversed": False}
    wrong["amount_reversed"] = reversal["amount"]
    return [
        money.on_payout("STATUS_CONFLICT", -reversal["amount"], recalled, rail=named["id"]),
        money.on_payout("STATUS_CONFLICT", reversal["amount"], paid, rail=wrong["id"]),
    ]


@kind
def charges_swap_their_movements(money: Money) -> list[Expected]:
    """The movements of two charges name each other's charge."""
    plain, other = money.clean.plain, money.clean.other
    first, second = money.transaction(plain.charge_id), money.transaction(other.charge_id)
    first["source"], second["source"] = second["source"], first["source"]
    gap = plain.amount_cents - other.amount_cents
    return [
        _on_sale("AMOUNT_UNDER" if gap > 0 else "AMOUNT_OVER", gap, plain, plain.charge_id),
        _on_sale("AMOUNT_OVER" if gap > 0 else "AMOUNT_UNDER", -gap, other, other.charge_id),
    ]


@kind
def dispute_won_in_the_next_month(money: Money) -> list[Expected]:
    """A won dispute's money comes back in the month after; nothing is wrong."""
    returned = money.transaction(money.clean.won["id"], "dispute_reversal")
    listed = money.rail("dispute_balance_transactions", balance_transaction_id=returned["id"])
    for row in (returned, listed):
        row |= dict.fromkeys(("created", "available_on"), ANCHOR - timedelta(days=5))
    return []


def _give_fee_back(money: Money, row: Row, cents: int) -> None:
    row |= {"fee": -cents, "net": row["amount"] + cents}
    model = money.tables.rows["stripe/balance_transaction_fees"][0]
    money.tables.copy(
        "stripe/balance_transaction_fees",
        model,
        account_id=row["account_id"],
        is_platform=True,
        balance_transaction_id=row["id"],
        amount=-cents,
        currency=row["currency"],
    )


@kind
def refund_and_won_dispute_give_their_fees_back(money: Money) -> list[Expected]:
    """Two movements bring their fees back; nothing is wrong."""
    refund = money.rail("refunds", charge=money.clean.part.charge_id)
    _give_fee_back(money, money.transaction(refund["id"]), 30)
    returned = money.transaction(money.clean.won["id"], "dispute_reversal")
    _give_fee_back(money, returned, 1_500)
    listed = money.rail("dispute_balance_transactions", balance_transaction_id=returned["id"])
    listed |= {"fee": returned["fee"], "net": returned["net"]}
    return []


@kind
def reversal_booked_whole_and_done_in_part(money: Money) -> list[Expected]:
    """The kernel booked a whole reversal of which the rail kept 7.00."""
    recalled = money.clean.recalled
    transfer = money.transfer(recalled)
    reversal = money.rail("transfer_reversals", transfer=transfer["id"])
    reversal["amount"] -= 700
    money.add_net(money.transaction(reversal["id"]), -700)
    transfer |= {"amount_reversed": transfer["amount"] - 700, "reversed": False}
    return [money.on_payout("STATUS_CONFLICT", -700, recalled, rail=transfer["id"])]


@kind
def split_leg_twice_and_part_taken_back(money: Money) -> list[Expected]:
    """A leg of a split payout is sent twice, and 7.00 of the repeat came back."""
    split = money.clean.split
    again = money.copy_transfer(money.transfer(split, 1), after=timedelta(hours=1))
    money.take_back(again, 700)
    return [money.on_payout("DUPLICATE_EXTERNAL", 700 - again["amount"], split, rail=again["id"])]


def _settle(money: Money, sale: Sale, currency: str, hundredths: int) -> Row:
    """A charge is collected at a rate, rounded half up."""
    row = money.transaction(sale.charge_id)
    settled = (money.charge(sale.charge_id)["amount"] * hundredths + 50) // 100
    row |= {"amount": settled, "net": settled - row["fee"], "currency": currency}
    row["exchange_rate_text"] = f"{hundredths // 100}.{hundredths % 100:02}"
    return row


@kind
def charge_converted_to_dinars(money: Money) -> list[Expected]:
    """A euro charge settles in thousandths of a dinar at 4.07; nothing is wrong."""
    _settle(money, money.clean.euro_sale, "bhd", 407)
    return []


@kind
def charge_converted_to_yen_off_its_rate(money: Money) -> list[Expected]:
    """A euro charge settles in yen at 162.37 each cent, 200 yen above it."""
    sale = money.clean.euro_sale
    money.add_net(_settle(money, sale, "jpy", 16_237), 200)
    return [_on_sale("FX_VARIANCE", -200, sale, sale.charge_id, currency="JPY")]


@kind
def charge_and_refund_converted_and_the_refund_off(money: Money) -> list[Expected]:
    """A dollar charge and its refund settle in euros at one rate, the refund 3.00 off it."""
    sale = money.clean.part
    _settle(money, sale, "eur", 92)
    refund = money.rail("refunds", charge=sale.charge_id)
    row = money.transaction(refund["id"])
    given = (refund["amount"] * 92 + 50) // 100 + 300
    row |= {"amount": -given, "net": -given - row["fee"], "currency": "eur"}
    row["exchange_rate_text"] = "0.92"
    return [_on_sale("FX_VARIANCE", -300, sale, refund["id"], currency="EUR")]
