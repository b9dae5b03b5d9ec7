"""Changes that only tolerances, windows and the time to clear can tell from faults.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: references themselves (kinds_payouts.py).
"""

from __future__ import annotations

from datetime import timedelta

from tests.mutation.kinds import ANCHOR, Expected, Money, kind

__all__ = ["in_currency", "instruct_lately"]

DINARS = "BHD"


@kind
def references_stripped_and_nearly_fits(money: Money) -> list[Expected]:
    """A transfer loses all references and 0.50: it is still the nearest, and short."""
    paid = money.clean.paid
    transfer = money.strip_references(paid)
    money.resize_transfer(transfer, -50)
    return [money.on_payout("AMOUNT_UNDER", 50, paid, rail=transfer["id"])]


@kind
def references_stripped_and_far_in_time(money: Money) -> list[Expected]:
    """A transfer loses all references and comes a day before its instruction: nothing fits."""
    paid = money.clean.paid
    transfer = money.strip_references(paid)
    early = paid.close.closed_at - timedelta(days=1)
    for row in (transfer, money.transaction(transfer["id"])):
        row["created"] = early
    party = paid.party.party_id
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        Expected("REFERENCE_MISSING", -paid.amount_cents, rail=transfer["id"], party=party),
    ]


@kind
def nearest_in_two_passes(money: Money) -> list[Expected]:
    """A transfer lies 0.30 from two instructions, one of which an equal transfer takes first."""
    paid = money.clean.paid
    transfer = money.strip_references(paid)
    # The second instruction is of another month, so that it is no repetition of the first.
    second = money.tables.copy(
        "kernel/payout_instructions",
        money.instruction(paid),
        artifact_id=f"{paid.artifact_id}_near",
        payout_key=f"{paid.key}_near",
        period="2026-08",
        amount_cents=paid.amount_cents + 60,
        statement_hash=None,
    )
    again = money.copy_transfer(transfer, after=timedelta(hours=1))
    money.resize_transfer(again, 30)
    return [
        money.on_payout(
            "AMOUNT_UNDER",
            30,
            paid,
            rail=again["id"],
            kernel=second["artifact_id"],
            payout=second["payout_key"],
        )
    ]


def in_currency(money: Money, currency: str, cents: int) -> None:
    """Turns the euro party's money into another currency's and changes its transfer."""
    for table, rows in money.tables.rows.items():
        if table.startswith("kernel/"):
            for row in rows:
                if row.get("tenant_id") == money.clean.tenant_id and row.get("currency") == "EUR":
                    row["currency"] = currency
    euro = money.clean.euro
    transfer = money.transfer(euro)
    sales = [sale for sale in money.clean.scene.partner.sales if sale.party == euro.party]
    named = {transfer["id"], transfer["destination_payment"], *(sale.charge_id for sale in sales)}
    for table in ("charges", "transfers", "balance_transactions"):
        for row in money.tables.rows[f"stripe/{table}"]:
            if row["id"] in named or row.get("source") in named:
                row["currency"] = currency.lower()
    money.resize_transfer(transfer, cents)


@kind
def within_tolerance_under(money: Money) -> list[Expected]:
    """A transfer of dinars is 5 of their thousandths short, which the rail cannot move."""
    in_currency(money, DINARS, -5)
    return []


@kind
def within_tolerance_over(money: Money) -> list[Expected]:
    """A transfer of dinars is 5 of their thousandths too large, which the rail rounded up."""
    in_currency(money, DINARS, 5)
    return []


@kind
def beyond_tolerance(money: Money) -> list[Expected]:
    """A transfer of dinars is 15 of their thousandths short."""
    in_currency(money, DINARS, -15)
    return [money.on_payout("AMOUNT_UNDER", 15, money.clean.euro, currency=DINARS)]


def instruct_lately(money: Money) -> tuple[str, str]:
    """An instruction of two and a half days ago that nothing paid."""
    paid = money.clean.paid
    made = money.tables.copy(
        "kernel/payout_instructions",
        money.instruction(paid),
        artifact_id=f"{paid.artifact_id}_late",
        payout_key=f"{paid.key}_late",
        party_id="pty_operator:late",
        generated_at=ANCHOR - timedelta(days=2, hours=12),
    )
    return made["artifact_id"], made["payout_key"]


@kind
def payout_not_due(money: Money) -> list[Expected]:
    """An instruction of two and a half days ago, of a tenant that has shown no time to clear."""
    artifact, key = instruct_lately(money)
    amount = money.clean.paid.amount_cents
    return [Expected("TIMING", amount, kernel=artifact, payout=key)]


@kind
def payout_overdue_by_the_tenants_own_time(money: Money) -> list[Expected]:
    """The same instruction, of a tenant all of whose payouts clear within a day."""
    paid = money.clean.paid
    transfer, transaction = money.transfer(paid), money.transaction(paid.transfers[0]["id"])
    for number in range(20):
        key = f"{paid.key}_{number}"
        money.tables.copy(
            "kernel/payout_instructions",
            money.instruction(paid),
            artifact_id=f"{paid.artifact_id}_{number}",
            payout_key=key,
            party_id=f"pty_operator:p{number}",
        )
        named = {"id": f"{transfer['id']}_{number}", "balance_transaction": f"txn_{key}"}
        references = {"transfer_group": key, "meta_payout_key": key, "meta_operation_id": None}
        elsewhere = {"destination": "acct_stranger", "destination_payment": None}
        money.tables.copy("stripe/transfers", transfer, **named, **references, **elsewhere)
        money.tables.copy(
            "stripe/balance_transactions", transaction, id=f"txn_{key}", source=named["id"]
        )
    artifact, key = instruct_lately(money)
    return [Expected("MISSING_EXTERNAL", paid.amount_cents, kernel=artifact, payout=key)]
