"""The identities that hold on the real rail, checked over what this one shows.

Belongs here: I1 to I14 and ledger conservation, each recomputed from rendered objects, one sentence
per violation. Does not belong here: any repair, and any use by production models, which must prove
the same identities by a different path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ingest.simulator.views import balance_view

if TYPE_CHECKING:
    from ingest.simulator.books import Books

__all__ = ["broken_identities"]

_PRIMARY = ("charge", "refund", "transfer", "transfer_reversal", "payout", "topup")
_PLATFORM_PRIMARY = ("application_fee", "fee_refund")


class _World:
    """Every object this rail created, rendered once."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.now = books.now()
        self.accounts = books.account_ids()
        self.txns: dict[str, dict[str, Any]] = {}
        self.holder: dict[str, str] = {}
        for account in self.accounts:
            for txn in self.all("balance_transaction", account):
                self.txns[txn["id"]] = txn
                self.holder[txn["id"]] = account

    def all(self, kind: str, account: str | None = None) -> list[dict[str, Any]]:
        accounts = self.accounts if account is None else [account]
        return [
            obj
            for where in accounts
            for obj in self.books.objects(kind, where)
            if (kind, obj["id"]) not in self.books.foreign
        ]

    def amount(self, txn_id: str | None) -> int:
        return 0 if txn_id is None else int(self.txns[txn_id]["amount"])


def broken_identities(books: Books) -> list[str]:
    """Return what does not hold, worded `I<n> <object>: got ..., expected ...`; [] is sound."""
    world = _World(books)
    checks = (
        _conservation,
        _transactions,
        _balances,
        _sources,
        _transfers,
        _charges,
        _application_fees,
        _payouts,
        _disputes,
    )
    return [violation for check in checks for violation in check(world)]


def _off(name: str, what: str, got: object, expected: object) -> Iterator[str]:
    if got != expected:
        yield f"{name} {what}: got {got}, expected {expected}"


def _conservation(world: _World) -> Iterator[str]:
    total: dict[str, int] = defaultdict(int)
    for entry in world.books.ledger.entries:
        sums: dict[str, int] = defaultdict(int)
        for posting in entry.postings():
            sums[posting.currency] += posting.amount
            total[posting.currency] += posting.amount
        for currency, amount in sums.items():
            yield from _off("ledger", f"entry {entry.number} {currency}", amount, 0)
    for currency, amount in total.items():
        yield from _off("ledger", f"whole {currency}", amount, 0)


def _transactions(world: _World) -> Iterator[str]:
    for txn in world.txns.values():
        what = txn["id"]
        yield from _off("I1", what, txn["net"], txn["amount"] - txn["fee"])
        fees = sum(part["amount"] for part in txn["fee_details"])
        yield from _off("I2", what, txn["fee"], fees)
        settled = "available" if txn["available_on"] <= world.now else "pending"
        yield from _off("I4", what, txn["status"], settled)


def _balances(world: _World) -> Iterator[str]:
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for txn_id, txn in world.txns.items():
        sums[world.holder[txn_id], txn["status"], txn["currency"]] += txn["net"]
    for account in world.accounts:
        balance = balance_view(world.books, account)
        for bucket in ("available", "pending"):
            shown = {line["currency"]: line["amount"] for line in balance[bucket]}
            wanted = {c: n for (who, b, c), n in sums.items() if (who, b) == (account, bucket)}
            for currency in sorted(shown.keys() | wanted.keys()):
                what = f"{account} {bucket} {currency}"
                yield from _off("I3", what, shown.get(currency, 0), wanted.get(currency, 0))


def _sources(world: _World) -> Iterator[str]:
    for kind in (*_PRIMARY, *_PLATFORM_PRIMARY):
        for obj in world.all(kind):
            for link in ("balance_transaction", "failure_balance_transaction"):
                txn_id = obj.get(link)
                if txn_id is not None:
                    source = world.txns[txn_id]["source"]
                    yield from _off("I5", f"{obj['id']} {link}", source, obj["id"])


def _transfers(world: _World) -> Iterator[str]:
    payments = {c["source_transfer"]: c for c in world.all("charge") if c["source_transfer"]}
    reversals: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for reversal in world.all("transfer_reversal"):
        reversals[reversal["transfer"]].append(reversal)
    refunds = {refund["id"]: refund for refund in world.all("refund")}
    drawn: dict[str, int] = defaultdict(int)
    for transfer in world.all("transfer"):
        what = transfer["id"]
        ours = world.txns[transfer["balance_transaction"]]
        yield from _off("I6", what, (ours["amount"], ours["fee"]), (-transfer["amount"], 0))
        payment = payments[what]
        theirs = world.txns[payment["balance_transaction"]]
        yield from _off("I7", what, transfer["destination_payment"], payment["id"])
        yield from _off("I7", what, theirs["type"], "payment")
        if theirs["currency"] == ours["currency"]:
            yield from _off("I7", what, ours["amount"] + theirs["amount"], 0)
        yield from _reversals(world, transfer, reversals[what], refunds, theirs)
        if transfer["source_transaction"] is not None:
            charge = world.books.show("charge", transfer["source_transaction"])
            available_on = world.txns[charge["balance_transaction"]]["available_on"]
            yield from _off("I9", what, ours["available_on"], available_on)
            drawn[charge["id"]] += transfer["amount"]
            limit = world.amount(charge["balance_transaction"])
            if drawn[charge["id"]] > limit:
                yield f"I9 {charge['id']}: got {drawn[charge['id']]}, expected at most {limit}"


def _reversals(
    world: _World,
    transfer: dict[str, Any],
    reversals: list[dict[str, Any]],
    refunds: dict[str, dict[str, Any]],
    theirs: dict[str, Any],
) -> Iterator[str]:
    what = transfer["id"]
    total = sum(reversal["amount"] for reversal in reversals)
    yield from _off("I8", what, transfer["amount_reversed"], total)
    whole = transfer["amount_reversed"] == transfer["amount"]
    yield from _off("I8", what, transfer["reversed"], whole)
    if total > transfer["amount"]:
        yield f"I8 {what}: got {total} reversed, expected at most {transfer['amount']}"
    back = 0
    for reversal in reversals:
        txn = world.txns[reversal["balance_transaction"]]
        shown = (txn["type"], txn["reporting_category"], txn["amount"])
        wanted = ("transfer_refund", "transfer_reversal", reversal["amount"])
        yield from _off("I8", reversal["id"], shown, wanted)
        refund = refunds[reversal["destination_payment_refund"]]
        there = world.txns[refund["balance_transaction"]]
        yield from _off("I8", refund["id"], there["type"], "payment_refund")
        yield from _off("I8", refund["id"], there["amount"], -refund["amount"])
        back += refund["amount"]
    if whole:
        yield from _off("I8", f"{what} at its destination", back, theirs["amount"])


def _charges(world: _World) -> Iterator[str]:
    refunded: dict[str, int] = defaultdict(int)
    for refund in world.all("refund"):
        if refund["status"] not in ("failed", "canceled"):
            refunded[refund["charge"]] += refund["amount"]
        failure = refund.get("failure_balance_transaction")
        if failure is not None:
            left = world.amount(refund["balance_transaction"]) + world.amount(failure)
            yield from _off("I12", f"{refund['id']} returned", left, 0)
    for charge in world.all("charge"):
        what = charge["id"]
        yield from _off("I12", what, charge["amount_refunded"], refunded[what])
        whole = charge["amount_refunded"] == charge["amount"]
        yield from _off("I12", what, charge["refunded"], whole)
        if "transfer" in charge:
            transfer = world.books.show("transfer", charge["transfer"])
            wanted = charge["transfer_data"]["amount"] or charge["amount"]
            yield from _off("I10", what, transfer["amount"], wanted)


def _application_fees(world: _World) -> Iterator[str]:
    returned: dict[str, int] = defaultdict(int)
    for refund in world.all("fee_refund"):
        returned[refund["fee"]] += refund["amount"]
        txn = world.txns[refund["balance_transaction"]]
        shown = (txn["type"], txn["amount"])
        yield from _off("I11", refund["id"], shown, ("application_fee_refund", -refund["amount"]))
    for fee in world.all("application_fee"):
        txn = world.txns[fee["balance_transaction"]]
        shown = (txn["type"], txn["amount"])
        yield from _off("I10", fee["id"], shown, ("application_fee", fee["amount"]))
        charged = world.books.show("charge", fee["charge"], fee["account"])
        parts = world.txns[charged["balance_transaction"]]["fee_details"]
        taken = sum(part["amount"] for part in parts if part["type"] == "application_fee")
        yield from _off("I10", f"{fee['id']} on its charge", taken, fee["amount"])
        yield from _off("I11", fee["id"], fee["amount_refunded"], returned[fee["id"]])


def _payouts(world: _World) -> Iterator[str]:
    for payout in world.all("payout"):
        what = payout["id"]
        yield from _off("I5", what, world.amount(payout["balance_transaction"]), -payout["amount"])
        if payout["automatic"]:
            members = world.books.payout_members[what]
            net = sum(world.txns[txn_id]["net"] for txn_id in members)
            yield from _off("I13", what, net, 0)
        failed = payout["status"] in ("failed", "canceled")
        failure = payout["failure_balance_transaction"]
        yield from _off("I14", what, failure is not None, failed)
        if failure is not None:
            left = world.amount(payout["balance_transaction"]) + world.amount(failure)
            yield from _off("I14", what, left, 0)


def _disputes(world: _World) -> Iterator[str]:
    for dispute in world.all("dispute"):
        what, txns = dispute["id"], dispute["balance_transactions"]
        sides = [(t["type"], t["reporting_category"]) for t in txns]
        withdrawn = sides.count(("adjustment", "dispute"))
        reinstated = sides.count(("adjustment", "dispute_reversal"))
        yield from _off("I15", f"{what} kinds", withdrawn + reinstated, len(sides))
        if dispute["status"].startswith("warning_"):
            yield from _off("I15", f"{what} inquiry", len(txns), 0)
        if dispute["status"] == "won":
            yield from _off("I15", f"{what} won", sum(t["amount"] for t in txns), 0)
        if dispute["status"] in ("needs_response", "under_review", "lost"):
            yield from _off("I15", f"{what} withdrawn", withdrawn - reinstated, 1)
        for txn in txns:
            yield from _off("I5", f"{what} {txn['id']}", txn["source"], what)
