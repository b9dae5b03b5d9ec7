"""Which lists of Stripe are read, and which tables come with each.

Belongs here: declarations. Does not belong here: what is kept of an object (`ingest.stripe.kept`,
the allow-list), any code that reads or writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ingest.stripe import kept
from ingest.stripe.kept import BALANCES
from ingest.stripe.shapes import JsonObject, Shape
from ingest.tables import TableSpec

__all__ = [
    "ABOUT_ACCOUNTS",
    "ACCOUNTS",
    "BALANCES",
    "ENDPOINTS",
    "EVENTS_LIST",
    "STRIPE_TABLES",
    "Changes",
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
class Changes:
    """How one learns that an object read long ago may have changed.

    Attributes:
        open_when: Condition over the landed columns under which it is not yet final; `:now` is the
            time of the pull.
        events: Types of objects whose events name it.
        sources: Prefixes of ids by which a balance transaction names it.
        orphans: Prefixes of ids by which a balance transaction names one of its children: if that
            child is not landed, the whole list is read again, for nothing says whose it is.
        named_in: Other objects that name it in a column.
    """

    open_when: str = "false"
    events: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    named_in: tuple[tuple[Shape, str], ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """One list of Stripe, read by time slices.

    Attributes:
        name: As coverage spells it.
        path: URL path.
        shape: What is kept of each object.
        connected: Also read for every connected account.
        audited: Read again as a whole within a week; not where Stripe forgets after 30 days.
        changes: None for objects that never change but by time.
        children: Tables that come with it.
    """

    name: str
    path: str
    shape: Shape
    connected: bool = True
    audited: bool = True
    changes: Changes | None = None
    children: tuple[Child, ...] = ()

    @property
    def families(self) -> dict[str, str]:
        """The names under which it is covered, its own and those of lists that hang off it."""
        return {
            self.name: self.name,
            **{child.shape.table: self.name for child in self.children if child.path},
        }


ACCOUNTS: Final = Endpoint(
    "accounts",
    "/v1/accounts",
    kept.ACCOUNTS,
    connected=False,
    changes=Changes(
        open_when="disabled_reason is not null or currently_due_count > 0 or past_due_count > 0 "
        "or pending_verification_count > 0 or requirements_due_by is not null",
        events=("account", "capability", "person"),
    ),
)

_BALANCE_TRANSACTIONS: Final = Endpoint(
    "balance_transactions",
    "/v1/balance_transactions",
    kept.BALANCE_TRANSACTIONS,
    children=(
        Child(
            kept.BALANCE_TRANSACTION_FEES,
            "balance_transaction_id",
            embedded="fee_details",
            ordinal="fee_no",
        ),
    ),
)

_TRANSFERS: Final = Endpoint(
    "transfers",
    "/v1/transfers",
    kept.TRANSFERS,
    changes=Changes(
        open_when="destination_payment is null and not reversed",
        events=("transfer",),
        sources=("tr",),
        orphans=("trr",),
    ),
    children=(
        Child(
            kept.TRANSFER_REVERSALS,
            "transfer",
            embedded="reversals",
            path="/v1/transfers/{id}/reversals",
            wanted=lambda transfer: bool(transfer.get("amount_reversed")),
        ),
    ),
)

_REFUNDS: Final = Endpoint(
    "refunds",
    "/v1/refunds",
    kept.REFUNDS,
    changes=Changes(
        open_when="coalesce(status, 'pending') not in ('succeeded', 'failed', 'canceled')",
        events=("refund",),
        sources=("re", "pyr"),
    ),
)

_DISPUTES: Final = Endpoint(
    "disputes",
    "/v1/disputes",
    kept.DISPUTES,
    changes=Changes(
        # A status that Stripe adds later is open until we know better.
        open_when="coalesce(status, '') not in ('won', 'lost', 'warning_closed', 'prevented')",
        events=("dispute",),
        sources=("dp", "du"),
    ),
    children=(
        Child(kept.DISPUTE_BALANCE_TRANSACTIONS, "dispute_id", embedded="balance_transactions"),
    ),
)

_CHARGES: Final = Endpoint(
    "charges",
    "/v1/charges",
    kept.CHARGES,
    changes=Changes(
        open_when="status = 'pending' or (status = 'succeeded' and captured is not false "
        "and balance_transaction is null)",
        events=("charge",),
        sources=("ch", "py"),
        named_in=((kept.REFUNDS, "charge"), (kept.DISPUTES, "charge")),
    ),
)

_PAYOUTS: Final = Endpoint(
    "payouts",
    "/v1/payouts",
    kept.PAYOUTS,
    changes=Changes(
        # A bank may return a payout within days after it was paid.
        open_when="coalesce(status, '') not in ('paid', 'failed', 'canceled') "
        "or reconciliation_status = 'in_progress' "
        "or (status = 'paid' and arrival_date > :now - interval 10 day)",
        events=("payout",),
        sources=("po",),
    ),
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
)

_APPLICATION_FEES: Final = Endpoint(
    "application_fees",
    "/v1/application_fees",
    kept.APPLICATION_FEES,
    changes=Changes(
        open_when="balance_transaction is null",
        events=("application_fee",),
        sources=("fee",),
        orphans=("fr",),
    ),
    children=(
        Child(
            kept.APPLICATION_FEE_REFUNDS,
            "fee",
            embedded="refunds",
            path="/v1/application_fees/{id}/refunds",
            wanted=lambda fee: bool(fee.get("amount_refunded")),
        ),
    ),
)

_TOPUPS: Final = Endpoint(
    "topups",
    "/v1/topups",
    kept.TOPUPS,
    changes=Changes(
        open_when="coalesce(status, 'pending') = 'pending'", events=("topup",), sources=("tu",)
    ),
)

EVENTS_LIST: Final = Endpoint("events", "/v1/events", kept.EVENTS, audited=False)

# Events first and movements next, since both say what to read again. Objects come after the balance
# transactions that name them: no movement lands whose source was not yet there to be read.
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    EVENTS_LIST,
    _BALANCE_TRANSACTIONS,
    _TRANSFERS,
    _REFUNDS,
    _DISPUTES,
    _CHARGES,
    _PAYOUTS,
    _APPLICATION_FEES,
    _TOPUPS,
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

ABOUT_ACCOUNTS: Final[Mapping[str, str]] = {
    ACCOUNTS.shape.spec.name: "id",
    EVENTS_LIST.shape.spec.name: "account",
}
"""Lists of the platform whose rows are about one connected account, and the column that names it.
The rows are that account's: who may not be read any more must not come in through them."""
