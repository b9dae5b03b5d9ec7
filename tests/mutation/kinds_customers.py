"""Corruptions of customers' money: charges and their conversions.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: money that goes back (kinds_refunds.py), payouts (kinds_payouts.py).
"""

from __future__ import annotations

from datetime import timedelta

from ingest.simulator.partner import Sale
from tests.mutation.kinds import PLATFORM_TENANT, Expected, Money, kind

__all__: list[str] = []


def _on_sale(code: str, drift: int, sale: Sale, **fields: object) -> Expected:
    known = {"kernel": sale.receipt_id, "party": sale.party.party_id}
    return Expected(code, drift, **(known | {"currency": sale.party.currency} | fields))  # type: ignore[arg-type]


def _resize(money: Money, cents: int) -> list[Expected]:
    sale = money.clean.plain
    money.charge(sale.charge_id)["amount"] += cents
    money.add_net(money.transaction(sale.charge_id), cents)
    code = "AMOUNT_OVER" if cents > 0 else "AMOUNT_UNDER"
    return [_on_sale(code, -cents, sale, rail=sale.charge_id)]


@kind
def charge_over(money: Money) -> list[Expected]:
    """A customer is charged 4.00 more than the receipt says."""
    return _resize(money, 400)


@kind
def charge_under(money: Money) -> list[Expected]:
    """A customer is charged a cent less than the receipt says."""
    return _resize(money, -1)


@kind
def charge_lost(money: Money) -> list[Expected]:
    """A charge with its movement never happened."""
    sale = money.clean.plain
    money.tables.drop("stripe/charges", id=sale.charge_id)
    money.drop_transactions(sale.charge_id)
    return [_on_sale("MISSING_EXTERNAL", sale.amount_cents, sale)]


@kind
def charge_in_other_currency(money: Money) -> list[Expected]:
    """A charge and its movement are in euros under a dollar receipt, without a rate."""
    sale = money.clean.plain
    money.charge(sale.charge_id)["currency"] = "eur"
    money.transaction(sale.charge_id)["currency"] = "eur"
    return [
        _on_sale("CURRENCY_MISMATCH", sale.amount_cents, sale),
        _on_sale(
            "CURRENCY_MISMATCH", -sale.amount_cents, sale, rail=sale.charge_id, currency="EUR"
        ),
    ]


@kind
def charges_swap_amounts(money: Money) -> list[Expected]:
    """Two charges are off by the same amount in opposite directions: net nought."""
    one, two = money.clean.plain, money.clean.other
    for sale, cents in ((one, 250), (two, -250)):
        money.charge(sale.charge_id)["amount"] += cents
        money.add_net(money.transaction(sale.charge_id), cents)
    return [
        _on_sale("AMOUNT_OVER", -250, one, rail=one.charge_id),
        _on_sale("AMOUNT_UNDER", 250, two, rail=two.charge_id),
    ]


@kind
def charge_across_month_end(money: Money) -> list[Expected]:
    """A charge falls on the first instant after its month; nothing is wrong."""
    sale = money.clean.plain
    after = money.clean.scene.at(1) + timedelta(days=31) - timedelta(hours=12)
    money.shift(money.charge(sale.charge_id), after)
    money.shift(money.transaction(sale.charge_id), after)
    return []


@kind
def charge_on_the_last_second(money: Money) -> list[Expected]:
    """A charge falls on the last second before its month; nothing is wrong."""
    sale = money.clean.plain
    before = money.clean.scene.at(1, 0) - timedelta(seconds=1)
    money.shift(money.charge(sale.charge_id), before)
    money.shift(money.transaction(sale.charge_id), before)
    return []


@kind
def receipt_lost(money: Money) -> list[Expected]:
    """A receipt is not exported; its charge is there."""
    sale = money.clean.plain
    money.drop_kernel("settlement_receipts", receipt_id=sale.receipt_id)
    return [
        _on_sale("MISSING_INTERNAL", -sale.amount_cents, sale, rail=sale.charge_id, kernel=None)
    ]


@kind
def receipt_does_not_verify(money: Money) -> list[Expected]:
    """A receipt's hash lies; its charge has no evidence left."""
    sale = money.clean.plain
    money.kernel("settlement_receipts", receipt_id=sale.receipt_id)["verdict"] = "mismatch"
    return [
        _on_sale("MISSING_INTERNAL", -sale.amount_cents, sale, rail=sale.charge_id, kernel=None)
    ]


@kind
def charge_link_lost(money: Money) -> list[Expected]:
    """No link names a charge: it is nobody's."""
    sale = money.clean.plain
    money.drop_kernel("charge_links", charge_id=sale.charge_id)
    return [
        Expected(
            "MISSING_INTERNAL", -sale.amount_cents, rail=sale.charge_id, tenant=PLATFORM_TENANT
        )
    ]


@kind
def charge_claimed_by_two_tenants(money: Money) -> list[Expected]:
    """Another tenant links the same charge to a receipt of the same id: it backs neither."""
    sale, other = money.clean.plain, money.neighbour
    link = money.kernel("charge_links", charge_id=sale.charge_id)
    money.tables.copy("kernel/charge_links", link, tenant_id=other.tenant_id)
    # Kernel ids repeat between tenants, so the neighbour has a receipt of that name.
    money.tables.one(
        "kernel/settlement_receipts", tenant_id=other.tenant_id, receipt_id=sale.receipt_id
    )
    return [
        _on_sale("AMBIGUOUS_MATCH", sale.amount_cents, sale),
        Expected(
            "AMBIGUOUS_MATCH", -sale.amount_cents, rail=sale.charge_id, tenant=PLATFORM_TENANT
        ),
        _on_sale("AMBIGUOUS_MATCH", sale.amount_cents, sale, tenant=other.tenant_id),
        _on_sale("AMOUNT_OVER", -sale.amount_cents, sale, tenant=other.tenant_id),
    ]


@kind
def account_claimed_by_two_tenants(money: Money) -> list[Expected]:
    """Another tenant claims the account that a payout went to; its references still lead home."""
    account = money.clean.paid.party.account_id
    mapped = money.kernel("connect_accounts", account_id=account)
    money.tables.copy(
        "kernel/connect_accounts",
        mapped,
        tenant_id=money.neighbour.tenant_id,
        party_id="pty_operator:stranger",
    )
    return []


@kind
def converted_charge(money: Money) -> list[Expected]:
    """A euro charge settles in dollars at its rate; nothing is wrong."""
    _convert(money, gap_cents=0)
    return []


@kind
def converted_charge_off_its_rate(money: Money) -> list[Expected]:
    """A euro charge settles in dollars, 2.00 above its rate."""
    sale = money.clean.euro_sale
    _convert(money, gap_cents=200)
    return [_on_sale("FX_VARIANCE", -200, sale, rail=sale.charge_id, currency="USD")]


@kind
def converted_charge_over(money: Money) -> list[Expected]:
    """A euro charge settles in dollars at its rate and is 5.00 EUR larger than its receipt."""
    sale = money.clean.euro_sale
    money.charge(sale.charge_id)["amount"] += 500
    _convert(money, gap_cents=0)
    return [_on_sale("AMOUNT_OVER", -500, sale, rail=sale.charge_id)]


def _convert(money: Money, *, gap_cents: int) -> None:
    charge = money.charge(money.clean.euro_sale.charge_id)
    transaction = money.transaction(charge["id"])
    # Half up at 1.0837, in integers.
    settled = (charge["amount"] * 10_837 * 2 + 10_000) // 20_000 + gap_cents
    fee = transaction["fee"]
    transaction |= {"amount": settled, "net": settled - fee, "currency": "usd"}
    transaction["exchange_rate_text"] = "1.0837"
