"""What a kind of corruption is, and the hands that all of them share.

Belongs here: the registry, an expectation, and changes of a transfer or charge with everything that
moves along with it. Does not belong here: any kind (the kinds_*.py modules).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.simulator.month_end import Payout
from tests.mutation.clean import Clean
from tests.mutation.landed import Row, Tables

__all__ = ["ANCHOR", "KINDS", "Expected", "Kind", "Money", "kind"]

PLATFORM_TENANT = "_platform"
ANCHOR = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Expected:
    """A row that reconciliation_drift must hold. None means that it is not said.

    Attributes:
        drift: Expected minus actual, in minor units.
        tenant: The tenant where it is not the corrupted one.
    """

    code: str
    drift: int
    rail: str | None = None
    kernel: str | None = None
    payout: str | None = None
    party: str | None = None
    currency: str = "USD"
    tenant: str | None = None


Corrupt = Callable[["Money"], list[Expected]]


@dataclass(frozen=True)
class Kind:
    """One kind of corruption; the docstring of its function says what is done."""

    name: str
    group: str
    corrupt: Corrupt

    @property
    def description(self) -> str:
        return " ".join((self.corrupt.__doc__ or "").split())


KINDS: dict[str, Kind] = {}


def kind(function: Corrupt) -> Corrupt:
    """Registers a kind under its function's name, in the group of its module."""
    group = function.__module__.rpartition("kinds_")[2]
    KINDS[function.__name__] = Kind(function.__name__, group, function)
    return function


class Money:
    """The landed money of one clean tenant; `neighbour` is a clean tenant beside it."""

    def __init__(self, tables: Tables, clean: Clean, neighbour: Clean) -> None:
        self.tables = tables
        self.clean = clean
        self.neighbour = neighbour

    # --- kernel rows ---------------------------------------------------------------------------

    def kernel(self, table: str, **equal: object) -> Row:
        """The tenant's only such kernel row."""
        return self.tables.one(f"kernel/{table}", tenant_id=self.clean.tenant_id, **equal)

    def kernel_rows(self, table: str, **equal: object) -> list[Row]:
        """The tenant's such kernel rows."""
        return self.tables.where(f"kernel/{table}", tenant_id=self.clean.tenant_id, **equal)

    def drop_kernel(self, table: str, **equal: object) -> None:
        """Removes the tenant's such kernel rows."""
        self.tables.drop(f"kernel/{table}", tenant_id=self.clean.tenant_id, **equal)

    # --- rail rows -----------------------------------------------------------------------------

    def rail(self, table: str, **equal: object) -> Row:
        """The only such rail row."""
        return self.tables.one(f"stripe/{table}", **equal)

    def transaction(self, source: str, category: str | None = None) -> Row:
        """The only balance transaction of an object (and category)."""
        equal = {"source": source} | ({"reporting_category": category} if category else {})
        return self.rail("balance_transactions", **equal)

    def charge(self, charge_id: str) -> Row:
        """A platform charge."""
        return self.rail("charges", id=charge_id)

    def transfer(self, payout: Payout, number: int = 0) -> Row:
        """A transfer of a payout."""
        return self.rail("transfers", id=payout.transfers[number]["id"])

    def add_net(self, transaction: Row, cents: int) -> None:
        """Changes a balance transaction's amount, its net with it."""
        transaction["amount"] += cents
        transaction["net"] += cents

    def resize_transfer(self, transfer: Row, cents: int) -> None:
        """Makes a transfer larger on both of its legs."""
        transfer["amount"] += cents
        self.add_net(self.transaction(transfer["id"]), -cents)
        self.charge(transfer["destination_payment"])["amount"] += cents
        self.add_net(self.transaction(transfer["destination_payment"]), cents)

    def drop_transfer(self, transfer: Row) -> None:
        """Removes a transfer, its movements and its payment on the other account."""
        payment = transfer["destination_payment"]
        self.tables.drop("stripe/transfers", id=transfer["id"])
        self.tables.drop("stripe/charges", id=payment)
        for source in (transfer["id"], payment):
            self.drop_transactions(source)

    def drop_transactions(self, source: str, category: str | None = None) -> None:
        """Removes an object's balance transactions with their fee lines."""
        equal = {"source": source} | ({"reporting_category": category} if category else {})
        for row in self.tables.drop("stripe/balance_transactions", **equal):
            key = {"account_id": row["account_id"], "balance_transaction_id": row["id"]}
            if self.tables.where("stripe/balance_transaction_fees", **key):
                self.tables.drop("stripe/balance_transaction_fees", **key)

    def copy_transfer(self, transfer: Row, *, after: timedelta, **changed: object) -> Row:
        """Sends a transfer once more: object, movements and payment under new ids."""
        again = {name: f"{transfer[name]}_again" for name in ("id", "destination_payment")}
        named = {"balance_transaction": f"{transfer['balance_transaction']}_again"}
        at = transfer["created"] + after
        self.copy_transaction(transfer["id"], source=again["id"], created=at)
        payment = self.charge(transfer["destination_payment"])
        self.copy_transaction(payment["id"], source=again["destination_payment"], created=at)
        self.tables.copy(
            "stripe/charges",
            payment,
            id=again["destination_payment"],
            balance_transaction=f"{payment['balance_transaction']}_again",
            source_transfer=again["id"],
            created=at,
        )
        return self.tables.copy(
            "stripe/transfers", transfer, **again, **named, created=at, **changed
        )

    def take_back(self, transfer: Row, cents: int) -> Row:
        """Reverses so much of a transfer at the rail; the kernel is not told."""
        reversed_cents = transfer["amount_reversed"] + cents
        transfer |= {
            "amount_reversed": reversed_cents,
            "reversed": reversed_cents == transfer["amount"],
        }
        model = self.rail("transfer_reversals", transfer=self.clean.recalled.transfers[0]["id"])
        named = f"{transfer['id']}_{reversed_cents}"
        made = self.tables.copy(
            "stripe/transfer_reversals",
            model,
            id=f"trr_{named}",
            transfer=transfer["id"],
            amount=cents,
            currency=transfer["currency"],
            balance_transaction=f"txn_trr_{named}",
        )
        self.tables.copy(
            "stripe/balance_transactions",
            self.transaction(model["id"]),
            id=made["balance_transaction"],
            source=made["id"],
            amount=cents,
            net=cents,
            currency=transfer["currency"],
        )
        return made

    def copy_transaction(self, from_source: str, **changed: object) -> Row:
        """Copies an object's balance transaction with its fee lines, under a new id."""
        row = self.transaction(from_source)
        key = {"account_id": row["account_id"], "balance_transaction_id": row["id"]}
        for line in self.tables.where("stripe/balance_transaction_fees", **key):
            self.tables.copy(
                "stripe/balance_transaction_fees",
                line,
                balance_transaction_id=f"{row['id']}_again",
            )
        return self.tables.copy(
            "stripe/balance_transactions", row, id=f"{row['id']}_again", **changed
        )

    def strip_references(self, payout: Payout, **changed: object) -> Row:
        """Takes every reference off a payout's first transfer, and its id off the operation."""
        transfer = self.transfer(payout)
        names = [name for name in transfer if name.startswith("meta_")]
        transfer |= dict.fromkeys([*names, "transfer_group"]) | changed
        self.operation(payout)["provider_ref"] = None
        return transfer

    def operation(self, payout: Payout) -> Row:
        """The kernel's operation of a payout."""
        return self.kernel("money_rail_operations", payout_key=payout.key)

    def instruction(self, payout: Payout) -> Row:
        """The kernel's instruction of a payout."""
        return self.kernel("payout_instructions", payout_key=payout.key)

    def link(self, payout: Payout, source_id: str) -> Row:
        """A link of a payout."""
        return self.kernel("receipt_payout_links", payout_key=payout.key, source_id=source_id)

    def shift(self, row: Row, to: datetime) -> None:
        """Moves an object or movement to another time."""
        row["created"] = to

    # --- expectations --------------------------------------------------------------------------

    def on_payout(self, code: str, drift: int, of: Payout, /, **fields: Any) -> Expected:
        """An expectation about an instruction, at its key."""
        known = {
            "kernel": of.artifact_id,
            "payout": of.key,
            "party": of.party.party_id,
            "currency": of.party.currency,
        }
        return Expected(code, drift, **(known | fields))
