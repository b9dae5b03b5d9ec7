"""Corruptions of the kernel's books: receipts, links, fees, holds and adjustments.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: instructions and operations (kinds_payouts.py), the rail (kinds_rail.py).
"""

from __future__ import annotations

from tests.mutation.kinds import Expected, Money, kind
from tests.mutation.landed import Row

__all__: list[str] = []


def _on_sale(money: Money, code: str, drift: int, **fields: object) -> Expected:
    sale = money.clean.plain
    known = {"kernel": sale.receipt_id, "party": sale.party.party_id}
    return Expected(code, drift, **(known | fields))  # type: ignore[arg-type]


@kind
def receipt_of_other_parts(money: Money) -> list[Expected]:
    """A receipt's whole is 4.00 larger than what it released and refunded."""
    receipt = money.kernel("settlement_receipts", receipt_id=money.clean.plain.receipt_id)
    receipt["amount_cents"] += 400
    return [_on_sale(money, "AMOUNT_UNDER", 400)]


@kind
def settlement_of_other_amount(money: Money) -> list[Expected]:
    """A settlement says it released 1.50 more than its receipt."""
    receipt_id = money.clean.plain.receipt_id
    settlement = money.kernel("agent_run_settlements", current_receipt_id=receipt_id)
    settlement["released_amount_cents"] += 150
    return [_on_sale(money, "AMOUNT_UNDER", 150)]


@kind
def link_short(money: Money) -> list[Expected]:
    """A payout's link to a receipt is 5.00 too small: its sources sum to less than it."""
    split = money.clean.split
    _receipt_links(money, split.key)[0]["amount_cents"] -= 500
    return [money.on_payout("AMOUNT_OVER", -500, split)]


@kind
def link_lost(money: Money) -> list[Expected]:
    """A payout's link to a receipt is not exported."""
    split = money.clean.split
    link = _receipt_links(money, split.key)[0]
    money.drop_kernel("receipt_payout_links", payout_key=split.key, source_id=link["source_id"])
    return [money.on_payout("AMOUNT_OVER", -link["amount_cents"], split)]


@kind
def links_swap_amounts(money: Money) -> list[Expected]:
    """Two links of a payout are off by the same amount in opposite directions: net nought."""
    split = money.clean.split
    one, two = _receipt_links(money, split.key)[:2]
    one["amount_cents"] += 500
    two["amount_cents"] -= 500
    return [
        money.on_payout("AMOUNT_OVER", -500, split, kernel=one["source_id"]),
        money.on_payout("AMOUNT_UNDER", 500, split, kernel=two["source_id"]),
    ]


@kind
def link_in_other_currency(money: Money) -> list[Expected]:
    """A link of a dollar payout says euros."""
    split = money.clean.split
    link = _receipt_links(money, split.key)[0]
    link["currency"] = "EUR"
    return [
        money.on_payout("AMOUNT_OVER", -link["amount_cents"], split),
        money.on_payout(
            "CURRENCY_MISMATCH",
            link["amount_cents"],
            split,
            kernel=link["source_id"],
            currency="EUR",
        ),
    ]


@kind
def receipt_paid_by_two_payouts(money: Money) -> list[Expected]:
    """A link to a receipt is repeated at another payout of the party: it would be used up twice."""
    clean = money.clean
    link = money.link(clean.paid, clean.plain.receipt_id)
    money.tables.copy("kernel/receipt_payout_links", link, payout_key=clean.split.key)
    amount = link["amount_cents"]
    return [
        money.on_payout("AMOUNT_UNDER", amount, clean.split),
        Expected("DUPLICATE_INTERNAL", -amount, kernel=clean.plain.receipt_id),
    ]


@kind
def fees_swap_amounts(money: Money) -> list[Expected]:
    """Two receipts' platform fees are off by 0.10 in opposite directions: net nought."""
    split = money.clean.split
    one, two = [
        row
        for row in money.kernel_rows("receipt_payout_links", payout_key=split.key)
        if row["source_type"] == "fee"
    ][:2]
    one["amount_cents"] -= 10
    two["amount_cents"] += 10
    return [
        money.on_payout("FEE_VARIANCE", -10, split, kernel=one["source_id"]),
        money.on_payout("FEE_VARIANCE", 10, split, kernel=two["source_id"]),
    ]


@kind
def holdback_link_lost(money: Money) -> list[Expected]:
    """A payout's deduction for a hold is not exported: its sources sum to more than it."""
    paid = money.clean.paid
    hold = money.clean.held.hold
    assert hold is not None
    money.drop_kernel("receipt_payout_links", payout_key=paid.key, source_id=hold["holdHash"])
    return [money.on_payout("HOLDBACK_VARIANCE", hold["heldAmountCents"], paid)]


@kind
def hold_of_other_amount(money: Money) -> list[Expected]:
    """A hold says 0.50 less than what was kept back for it."""
    hold = money.clean.held.hold
    assert hold is not None
    money.kernel("funding_holds", hold_hash=hold["holdHash"])["held_amount_cents"] -= 50
    return [money.on_payout("HOLDBACK_VARIANCE", -50, money.clean.paid, kernel=hold["holdHash"])]


@kind
def hold_still_held_after_its_release(money: Money) -> list[Expected]:
    """An adjustment released a hold that says it is still held."""
    hold = money.clean.freed.hold
    assert hold is not None
    money.kernel("funding_holds", hold_hash=hold["holdHash"])["status"] = "held"
    adjustment = money.kernel("settlement_adjustments", hold_hash=hold["holdHash"])
    return [
        Expected(
            "STATUS_CONFLICT",
            0,
            kernel=adjustment["adjustment_id"],
            party=money.clean.alpha.party_id,
        )
    ]


@kind
def adjustment_of_other_amount(money: Money) -> list[Expected]:
    """An adjustment gives 0.30 more back to a payer than was held: neither hold nor rail agrees."""
    sale = money.clean.given_back
    assert sale.hold is not None
    adjustment = money.kernel("settlement_adjustments", hold_hash=sale.hold["holdHash"])
    adjustment["amount_cents"] += 30
    party = sale.party.party_id
    return [
        Expected("HOLDBACK_VARIANCE", -30, kernel=adjustment["adjustment_id"], party=party),
        Expected("AMOUNT_UNDER", 30, kernel=sale.receipt_id, party=party),
    ]


def _receipt_links(money: Money, payout_key: str) -> list[Row]:
    rows = money.kernel_rows("receipt_payout_links", payout_key=payout_key)
    return [row for row in rows if row["source_type"] == "receipt"]
