"""Two faults at once, and faults between objects of two parties or of one party's two months.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: a fault of one object (the other kinds_*.py modules).
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


def _pay_again(money: Money, cents: int) -> tuple[Row, Row]:
    """A second statement instructs the same party and month; so much is sent for it."""
    paid = money.clean.paid
    again = money.tables.copy(
        "kernel/payout_instructions",
        money.instruction(paid),
        artifact_id=f"{paid.artifact_id}_again",
        payout_key=f"{paid.key}_again",
        generated_at=money.instruction(paid)["generated_at"] + timedelta(hours=1),
    )
    references = {"transfer_group": again["payout_key"], "meta_payout_key": again["payout_key"]}
    sent = money.copy_transfer(
        money.transfer(paid), after=timedelta(hours=2), meta_operation_id=None, **references
    )
    money.resize_transfer(sent, cents - paid.amount_cents)
    return again, sent


@kind
def instruction_twice_and_paid_twice(money: Money) -> list[Expected]:
    """A second statement instructs the same party and month again, and that is paid too."""
    paid = money.clean.paid
    again, sent = _pay_again(money, paid.amount_cents)
    named = {"kernel": again["artifact_id"], "payout": again["payout_key"], "rail": sent["id"]}
    return [money.on_payout("DUPLICATE_INTERNAL", -paid.amount_cents, paid, **named)]


@kind
def destinations_of_two_parties_swapped(money: Money) -> list[Expected]:
    """Two parties' transfers go to each other's accounts."""
    paid, split = money.clean.paid, money.clean.split
    one, two = money.transfer(paid), money.transfer(split)
    alpha, beta = money.clean.alpha, money.clean.beta
    for transfer, account in ((one, beta.account_id), (two, alpha.account_id)):
        transfer["destination"] = account
        money.charge(transfer["destination_payment"])["account_id"] = account
        money.transaction(transfer["destination_payment"])["account_id"] = account
    wrong = "DESTINATION_MISMATCH"
    return [
        money.on_payout(wrong, paid.amount_cents, paid),
        money.on_payout(wrong, -paid.amount_cents, paid, rail=one["id"], party=beta.party_id),
        money.on_payout(wrong, two["amount"], split),
        money.on_payout(wrong, -two["amount"], split, rail=two["id"], party=alpha.party_id),
    ]


@kind
def transfer_twice_in_other_currency(money: Money) -> list[Expected]:
    """A transfer is sent again, in euros."""
    paid = money.clean.paid
    again = money.copy_transfer(money.transfer(paid), after=timedelta(hours=1))
    again["currency"] = "eur"
    for source in (again["id"], again["destination_payment"]):
        money.transaction(source)["currency"] = "eur"
    money.charge(again["destination_payment"])["currency"] = "eur"
    return [
        money.on_payout(
            "CURRENCY_MISMATCH", -paid.amount_cents, paid, rail=again["id"], currency="EUR"
        )
    ]


@kind
def transfer_short_and_late(money: Money) -> list[Expected]:
    """A transfer is 7.00 short and comes eleven days late: what is missing is said."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    money.resize_transfer(transfer, -700)
    for row in (
        transfer,
        money.transaction(transfer["id"]),
        money.transaction(transfer["destination_payment"]),
    ):
        row["created"] += timedelta(days=11)
    return [money.on_payout("AMOUNT_UNDER", 700, paid, rail=transfer["id"])]


@kind
def charge_and_its_refund_lost(money: Money) -> list[Expected]:
    """Neither a charge nor the refund of a part of it ever happened."""
    sale = money.clean.part
    refund = money.tables.drop("stripe/refunds", charge=sale.charge_id)[0]
    money.tables.drop("stripe/charges", id=sale.charge_id)
    for source in (refund["id"], sale.charge_id):
        money.drop_transactions(source)
    return [
        _on_sale("MISSING_EXTERNAL", sale.amount_cents, sale),
        _on_sale("MISSING_EXTERNAL", 4_000, sale),
    ]


@kind
def charge_lost_and_an_account_unread(money: Money) -> list[Expected]:
    """A charge and a refund never happened; what was not read is a party's account, not theirs."""
    sale, other = money.clean.plain, money.clean.part
    money.tables.drop("stripe/charges", id=sale.charge_id)
    money.drop_transactions(sale.charge_id)
    refund = money.tables.drop("stripe/refunds", charge=other.charge_id)[0]
    money.drop_transactions(refund["id"])
    money.charge(other.charge_id)["amount_refunded"] = 0
    account = money.clean.alpha.account_id
    money.tables.where("tieout/coverage", account_id=account)[0]["status"] = "failed"
    return [
        _on_sale("MISSING_EXTERNAL", sale.amount_cents, sale),
        _on_sale("MISSING_EXTERNAL", 4_000, other),
    ]


@kind
def refunded_hold_kept_from_the_customer(money: Money) -> list[Expected]:
    """A hold went to the payer by the kernel's word; the rail never gave it back."""
    sale = money.clean.given_back
    refund = money.tables.drop("stripe/refunds", charge=sale.charge_id)[0]
    money.drop_transactions(refund["id"])
    money.charge(sale.charge_id)["amount_refunded"] = 0
    return [_on_sale("MISSING_EXTERNAL", refund["amount"], sale)]


@kind
def fee_withheld_short(money: Money) -> list[Expected]:
    """The kernel withheld 5.00 less than the platform's fee, everywhere alike, and paid it out."""
    euro, sale = money.clean.euro, money.clean.euro_sale
    link = money.link(euro, f"fee_{sale.receipt_id}")
    link["amount_cents"] += 500
    instruction = money.instruction(euro)
    instruction["amount_cents"] += 500
    statement = money.kernel("party_statements", artifact_hash=instruction["statement_hash"])
    statement["payout_cents"] += 500
    money.operation(euro)["amount_cents"] += 500
    money.resize_transfer(money.transfer(euro), 500)
    return [money.on_payout("FEE_VARIANCE", -500, euro)]


@kind
def receipt_paid_to_another_party(money: Money) -> list[Expected]:
    """A payout contains a receipt whose charge is another party's."""
    sale, beta = money.clean.plain, money.clean.beta
    link = money.kernel("charge_links", charge_id=sale.charge_id)
    link["party_id"] = beta.party_id
    return [
        money.on_payout(
            "DESTINATION_MISMATCH", -sale.amount_cents, money.clean.paid, kernel=sale.receipt_id
        )
    ]


def _instruct_less(money: Money, cents: int) -> None:
    """Instruction, statement, operation and transfer of the paid payout agree on less."""
    paid = money.clean.paid
    instruction = money.instruction(paid)
    instruction["amount_cents"] -= cents
    statement = money.kernel("party_statements", artifact_hash=instruction["statement_hash"])
    statement["payout_cents"] -= cents
    money.operation(paid)["amount_cents"] -= cents
    money.resize_transfer(money.transfer(paid), -cents)


@kind
def receipt_left_out_of_its_payout(money: Money) -> list[Expected]:
    """A receipt is in no payout, and everything else agrees on the smaller amount."""
    paid, sale = money.clean.paid, money.clean.plain
    for source_id in (sale.receipt_id, f"fee_{sale.receipt_id}"):
        money.drop_kernel("receipt_payout_links", payout_key=paid.key, source_id=source_id)
    _instruct_less(money, sale.entitled_cents)
    return [_on_sale("AMOUNT_UNDER", sale.entitled_cents, sale)]


@kind
def release_left_out_of_its_payout(money: Money) -> list[Expected]:
    """A released hold is in no payout, and everything else agrees on the smaller amount."""
    paid = money.clean.paid
    (link,) = money.kernel_rows(
        "receipt_payout_links", payout_key=paid.key, source_type="adjustment"
    )
    money.drop_kernel("receipt_payout_links", payout_key=paid.key, source_id=link["source_id"])
    _instruct_less(money, link["amount_cents"])
    named = {"kernel": link["source_id"], "party": paid.party.party_id}
    return [Expected("HOLDBACK_VARIANCE", link["amount_cents"], **named)]


def _arrive_in_euros(money: Money, cents_more: int) -> str:
    """A dollar transfer arrives in euros at 0.9."""
    transfer = money.transfer(money.clean.paid)
    payment = money.charge(transfer["destination_payment"])
    transaction = money.transaction(payment["id"])
    arrived = (transfer["amount"] * 9 * 2 + 10) // 20 + cents_more
    payment |= {"amount": arrived, "currency": "eur"}
    transaction |= {"amount": arrived, "net": arrived, "currency": "eur"}
    transaction["exchange_rate_text"] = "0.9"
    return str(payment["id"])


@kind
def converted_transfer(money: Money) -> list[Expected]:
    """A dollar transfer arrives in euros at its rate; nothing is wrong."""
    _arrive_in_euros(money, 0)
    return []


@kind
def converted_transfer_off_its_rate(money: Money) -> list[Expected]:
    """A dollar transfer arrives in euros, 3.00 below its rate."""
    named = _arrive_in_euros(money, -300)
    paid = money.clean.paid
    return [
        Expected(
            "FX_VARIANCE",
            300,
            rail=named,
            party=paid.party.party_id,
            payout=paid.key,
            currency="EUR",
        )
    ]


@kind
def transfer_arrives_in_other_currency_without_a_rate(money: Money) -> list[Expected]:
    """A dollar transfer arrives as as many euros, and no rate says why."""
    paid = money.clean.paid
    payment = money.charge(money.transfer(paid)["destination_payment"])
    payment["currency"] = money.transaction(payment["id"])["currency"] = "eur"
    return [
        Expected(
            "CURRENCY_MISMATCH",
            paid.amount_cents,
            rail=payment["id"],
            party=paid.party.party_id,
            payout=paid.key,
        )
    ]


@kind
def topup_movement_lost(money: Money) -> list[Expected]:
    """The platform's top-up of 123.45 never reached its balance."""
    model = money.tables.where("stripe/topups", currency="usd")[0]
    named = f"tu_{money.clean.tenant_id}"
    money.tables.copy(
        "stripe/topups", model, id=named, amount=12_345, balance_transaction=f"txn_{named}"
    )
    return [Expected("MISSING_EXTERNAL", 12_345, rail=named, tenant=PLATFORM_TENANT)]


@kind
def references_of_two_months_swapped(money: Money) -> list[Expected]:
    """One party's transfers of two months carry each other's references."""
    paid = money.clean.paid
    late = money.transfer(paid)
    (early,) = [
        row
        for row in money.tables.where("stripe/transfers", destination=paid.party.account_id)
        if row["id"] != late["id"]
    ]
    names = [name for name in late if name.startswith("meta_")] + ["transfer_group"]
    for name in names:
        late[name], early[name] = early[name], late[name]
    gap = late["amount"] - early["amount"]
    instruction = money.kernel("payout_instructions", payout_key=late["transfer_group"])
    named = {"kernel": instruction["artifact_id"], "payout": instruction["payout_key"]}
    if gap > 0:
        return [
            money.on_payout("AMOUNT_UNDER", gap, paid, rail=early["id"]),
            money.on_payout("AMOUNT_OVER", -gap, paid, **named, rail=late["id"]),
            money.on_payout("LATE_SETTLEMENT", 0, paid, **named),
        ]
    return [
        money.on_payout("AMOUNT_OVER", gap, paid, rail=early["id"]),
        money.on_payout("AMOUNT_UNDER", -gap, paid, **named, rail=late["id"]),
    ]


@kind
def two_faults_of_two_parties(money: Money) -> list[Expected]:
    """One party's transfer is missing and another's is sent twice, for one amount: net nought."""
    paid, euro = money.clean.paid, money.clean.euro
    money.drop_transfer(money.transfer(paid))
    again = money.copy_transfer(money.transfer(euro), after=timedelta(hours=1))
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        money.on_payout("DUPLICATE_EXTERNAL", -euro.amount_cents, euro, rail=again["id"]),
    ]
