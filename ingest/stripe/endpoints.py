"""Which lists of Stripe are read, and which tables come with each.

Belongs here: declarations. Does not belong here: what is kept of an object (`ingest.stripe.kept`,
the allow-list), any code that reads or writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ingest.stripe import kept
from ingest.stripe.kept import BALANCES
from ingest.stripe.shapes import JsonObject, Shape
from ingest.tables import TableSpec

__all__ = [
    "ACCOUNTS",
    "BALANCES",
    "ENDPOINTS",
    "STRIPE_TABLES",
    "Child",
    "Endpoint",
]


def _always(parent: JsonObject) -> bool:
    return True


@dataclass(frozen=True)
class Child:
    """Objects that hang off a listed object and land in a table of their own, before it.

    Attributes:
        shape: What is kept of each.
        parent_column: Column that receives the parent's id.
        embedded: Path to the list inside the parent, or None when there is none.
        path: Where the full list is read, with `{id}` for the parent's; None when embedding is all.
        parameter: Query parameter that receives the parent's id, for lists that are not nested.
        ordinal: Column that receives the position in the list, from 1, for objects without an id.
        wanted: Whether a parent has such objects at all; asked only where there is a `path`.
        final: Once landed they never change, so they are not read again.
    """

    shape: Shape
    parent_column: str
    embedded: str | None = None
    path: str | None = None
    parameter: str | None = None
    ordinal: str | None = None
    wanted: Callable[[JsonObject], bool] = _always
    final: bool = False


@dataclass(frozen=True)
class Endpoint:
    """One list of Stripe.

    Attributes:
        name: As coverage spells it.
        path: URL path.
        shape: What is kept of each object.
        connected: Also read for every connected account.
        sliced: Read incrementally by `created`, because its objects do not change once made.
        children: Tables that come with it.
    """

    name: str
    path: str
    shape: Shape
    connected: bool = False
    sliced: bool = False
    children: tuple[Child, ...] = ()


ACCOUNTS: Final = Endpoint("accounts", "/v1/accounts", kept.ACCOUNTS)

# Objects are read after the balance transactions that name them as their source: a movement is
# never landed whose source was not yet there to be read.
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "balance_transactions",
        "/v1/balance_transactions",
        kept.BALANCE_TRANSACTIONS,
        connected=True,
        sliced=True,
        children=(
            Child(
                kept.BALANCE_TRANSACTION_FEES,
                "balance_transaction_id",
                embedded="fee_details",
                ordinal="fee_no",
            ),
        ),
    ),
    Endpoint(
        "transfers",
        "/v1/transfers",
        kept.TRANSFERS,
        connected=True,
        children=(
            Child(
                kept.TRANSFER_REVERSALS,
                "transfer",
                embedded="reversals",
                path="/v1/transfers/{id}/reversals",
                wanted=lambda transfer: bool(transfer.get("amount_reversed")),
            ),
        ),
    ),
    Endpoint("charges", "/v1/charges", kept.CHARGES, connected=True),
    Endpoint("refunds", "/v1/refunds", kept.REFUNDS, connected=True),
    Endpoint(
        "disputes",
        "/v1/disputes",
        kept.DISPUTES,
        connected=True,
        children=(
            Child(kept.DISPUTE_BALANCE_TRANSACTIONS, "dispute_id", embedded="balance_transactions"),
        ),
    ),
    Endpoint(
        "payouts",
        "/v1/payouts",
        kept.PAYOUTS,
        connected=True,
        children=(
            Child(
                kept.PAYOUT_MEMBERS,
                "payout_id",
                path="/v1/balance_transactions",
                parameter="payout",
                wanted=lambda payout: (
                    payout.get("automatic") is True
                    and payout.get("reconciliation_status") == "completed"
                ),
                final=True,
            ),
        ),
    ),
    Endpoint(
        "application_fees",
        "/v1/application_fees",
        kept.APPLICATION_FEES,
        connected=True,
        children=(
            Child(
                kept.APPLICATION_FEE_REFUNDS,
                "fee",
                embedded="refunds",
                path="/v1/application_fees/{id}/refunds",
                wanted=lambda fee: bool(fee.get("amount_refunded")),
            ),
        ),
    ),
    Endpoint("topups", "/v1/topups", kept.TOPUPS, connected=True),
    Endpoint("events", "/v1/events", kept.EVENTS, connected=True),
)

STRIPE_TABLES: Final[tuple[TableSpec, ...]] = (
    BALANCES.spec,
    kept.ACCOUNTS.spec,
    *(
        shape.spec
        for endpoint in ENDPOINTS
        for shape in (*(child.shape for child in endpoint.children), endpoint.shape)
    ),
)
