"""Values that no writer should send and a warehouse must bear: unknown words, names of nobody, and
money that is booked in another currency than its object.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: values that ingest refuses, which never land (tests of `ingest`).
"""

from __future__ import annotations

from tests.mutation.kinds import PLATFORM_TENANT, Expected, Money, kind
from tests.mutation.landed import Row

__all__ = ["MOST"]

# The largest amount that ingest lets through.
MOST = 2**53 - 1


@kind
def transfer_booked_in_another_currency(money: Money) -> list[Expected]:
    """The balance shows a dollar transfer as as many euros, and no rate says why."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    money.transaction(transfer["id"])["currency"] = "eur"
    named = {"rail": transfer["id"], "payout": paid.key, "party": paid.party.party_id}
    return [
        Expected("CURRENCY_MISMATCH", paid.amount_cents, **named),
        Expected("CURRENCY_MISMATCH", -paid.amount_cents, currency="EUR", **named),
    ]


@kind
def reversal_booked_in_another_currency(money: Money) -> list[Expected]:
    """The balance shows a dollar reversal, which the kernel booked, as as many euros."""
    recalled = money.clean.recalled
    reversal = money.rail("transfer_reversals", transfer=recalled.transfers[0]["id"])
    money.transaction(reversal["id"])["currency"] = "eur"
    return [
        money.on_payout("CURRENCY_MISMATCH", reversal["amount"], recalled, currency="EUR"),
    ]


@kind
def fee_contradicts_its_lines_and_its_net(money: Money) -> list[Expected]:
    """A fee says 1.00 more than its lines and than its amount less its net."""
    row = money.transaction(money.clean.plain.charge_id)
    row["fee"] += 100
    return [Expected("FEE_VARIANCE", 100, rail=row["id"])]


@kind
def hold_of_an_unknown_status(money: Money) -> list[Expected]:
    """A hold has a status that the kernel's word list does not hold: it counts as held."""
    assert money.clean.held.hold is not None
    hold = money.kernel("funding_holds", hold_hash=money.clean.held.hold["holdHash"])
    hold["status"] = "frozen"
    return [Expected("UNCLASSIFIED", 0, kernel=hold["hold_hash"])]


@kind
def provider_without_a_name(money: Money) -> list[Expected]:
    """A provider's id is the empty text; nothing about money is wrong."""
    model = money.kernel_rows("money_rail_providers")[0]
    money.tables.copy("kernel/money_rail_providers", model, provider_id="")
    return []


@kind
def ledger_lines_of_nobody(money: Money) -> list[Expected]:
    """Ledger lines have neither party nor account nor entry; nothing moved otherwise."""
    for line in money.kernel_rows("gl_lines")[:3]:
        line |= dict.fromkeys(("ledger_entry_id", "ledger_account_id", "party_id"))
    return []


@kind
def operation_without_a_payout_key(money: Money) -> list[Expected]:
    """An operation does not say which payout it is; its transfer does."""
    money.operation(money.clean.paid)["payout_key"] = None
    return []


@kind
def recovery_beyond_its_payout(money: Money) -> list[Expected]:
    """An operation says it recovered more than the payout has; the transfer went out whole."""
    paid = money.clean.paid
    operation = money.operation(paid)
    operation["chargeback_recovery_applied_cents"] = MOST
    transfer = money.transfer(paid)
    return [
        money.on_payout("DUPLICATE_EXTERNAL", -paid.amount_cents, paid, rail=transfer["id"]),
        Expected("AMOUNT_OVER", -paid.amount_cents, kernel=operation["operation_id"]),
    ]


@kind
def receipt_in_another_currency_than_its_links(money: Money) -> list[Expected]:
    """A receipt is in euros; its charge, its links and its payout are in dollars."""
    sale = money.clean.plain
    receipt = money.kernel("settlement_receipts", receipt_id=sale.receipt_id)
    receipt["currency"] = "EUR"
    cents, fee = receipt["released_amount_cents"], sale.fee_cents
    return [
        money.on_payout("CURRENCY_MISMATCH", cents, money.clean.paid, kernel=sale.receipt_id),
        money.on_payout(
            "CURRENCY_MISMATCH", fee, money.clean.paid, kernel=f"fee_{sale.receipt_id}"
        ),
    ]


@kind
def topup_of_the_largest_amount(money: Money) -> list[Expected]:
    """The platform was topped up by the most that an amount can say, and no balance shows it."""
    model = money.tables.where("stripe/topups", currency="usd")[0]
    named = f"tu_most_{money.clean.tenant_id}"
    money.tables.copy(
        "stripe/topups", model, id=named, amount=MOST, balance_transaction=f"txn_{named}"
    )
    return [Expected("MISSING_EXTERNAL", MOST, rail=named, tenant=PLATFORM_TENANT)]


@kind
def receipt_of_the_largest_amount(money: Money) -> list[Expected]:
    """A receipt says the most that an amount can say; its charge, run and links say little."""
    sale, paid = money.clean.plain, money.clean.paid
    receipt = money.kernel("settlement_receipts", receipt_id=sale.receipt_id)
    gap = MOST - receipt["amount_cents"]
    receipt["amount_cents"] = receipt["released_amount_cents"] = MOST
    # A fifth of a receipt is the platform's.
    fee_gap = MOST // 5 - sale.fee_cents
    return [
        money.on_payout("AMOUNT_UNDER", gap, paid, kernel=sale.receipt_id),
        Expected("AMOUNT_UNDER", gap, kernel=sale.receipt_id, party=paid.party.party_id),
        Expected("AMOUNT_OVER", -gap, kernel=sale.receipt_id, party=paid.party.party_id),
        money.on_payout("FEE_VARIANCE", -fee_gap, paid),
    ]


def _application_fee(money: Money, *, rate: str | None) -> Row:
    """A fee of 5.00 euros earned on a dollar sale, booked as 5.50 dollars; gives its movement."""
    charge = money.charge(money.clean.plain.charge_id)
    named = f"fee_odd_{money.clean.tenant_id}"
    model = money.transaction(charge["id"])
    fee = {
        **{name: charge[name] for name in ("account_id", "is_platform", "created", "livemode")},
        **{"id": named, "amount": 500, "currency": "eur", "balance_transaction": f"txn_{named}"},
        **{"charge": charge["id"], "account": "acct_odd", "amount_refunded": 0, "refunded": False},
    }
    money.tables.rows["stripe/application_fees"].append(fee)
    booked = {"amount": 550, "fee": 0, "net": 550, "currency": "usd", "exchange_rate_text": rate}
    return money.tables.copy(
        "stripe/balance_transactions",
        model,
        **booked,
        id=f"txn_{named}",
        source=named,
        type="application_fee",
        reporting_category="platform_earning",
    )


@kind
def application_fee_at_a_rate(money: Money) -> list[Expected]:
    """A fee earned in euros is booked in dollars at 1.1; nothing is wrong."""
    _application_fee(money, rate="1.1")
    return []


@kind
def application_fee_without_a_rate(money: Money) -> list[Expected]:
    """A fee earned in euros is booked as dollars, and no rate says why."""
    _application_fee(money, rate=None)
    named = f"fee_odd_{money.clean.tenant_id}"
    return [Expected("CURRENCY_MISMATCH", 500, rail=named, currency="EUR")]
