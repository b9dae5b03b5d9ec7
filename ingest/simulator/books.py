"""The state every act works on: ledger, shelves, ids, events and the facts no object carries.

Belongs here: opening, finding, showing and changing objects, posting movements with their balance
transactions, and recording events. Does not belong here: the rules of a single act.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson

from ingest.simulator.errors import RailError
from ingest.simulator.facts import ChargeFacts, TransferFacts
from ingest.simulator.ledger import FeePart, Ledger, Leg, Posting
from ingest.simulator.objects import API_VERSION, event
from ingest.simulator.store import NEVER, IdMint, Shelf, View
from ingest.simulator.views import RENDERERS, balance_view

__all__ = ["EVENT_RETENTION_SECONDS", "Books"]

EVENT_RETENTION_SECONDS = 30 * 86_400
_ID_PREFIXES = {
    "application_fee": "fee",
    "balance_transaction": "txn",
    "charge": "ch",
    "dispute": "du",
    "event": "evt",
    "fee_refund": "fr",
    "payout": "po",
    "refund": "re",
    "topup": "tu",
    "transfer": "tr",
    "transfer_reversal": "trr",
}


@dataclass
class Books:
    """Everything the rail knows."""

    platform_id: str
    clock: Callable[[], int]
    seed: int = 0
    livemode: bool = False
    record_events: bool = True
    ledger: Ledger = field(default_factory=Ledger)
    exchange_rates: dict[tuple[str, str], str] = field(default_factory=dict)
    charge_facts: dict[str, ChargeFacts] = field(default_factory=dict)
    transfer_facts: dict[str, TransferFacts] = field(default_factory=dict)
    payout_members: dict[str, list[str]] = field(default_factory=dict)
    unswept: dict[tuple[str, str], list[Leg]] = field(default_factory=dict)
    swept_at: dict[tuple[str, str], int] = field(default_factory=dict)
    due_events: list[tuple[int, str, str]] = field(default_factory=list)
    balance_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    intents: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    foreign: set[tuple[str, str]] = field(default_factory=set)
    platform: dict[str, Any] = field(default_factory=dict)
    check_funds: bool = True

    def __post_init__(self) -> None:
        self._ids = IdMint(self.seed)
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._homes: dict[tuple[str, str], str] = {}

    # --- time, names, ids ----------------------------------------------------------------------

    def now(self) -> int:
        """Return the clock's unix second."""
        return self.clock()

    def new_id(self, kind: str, prefix: str | None = None) -> str:
        """Mint an id for a kind, or for a bare prefix such as `py`."""
        return self._ids.mint(prefix or _ID_PREFIXES[kind])

    def salted_ids(self, salt: str) -> AbstractContextManager[None]:
        """Mint ids from `salt` inside the block; see `IdMint.salted`."""
        return self._ids.salted(salt)

    def holder(self, account: str | None) -> str:
        """Return the account id to post to, refusing accounts that do not exist."""
        if account is None or account == self.platform_id:
            return self.platform_id
        if account not in self.shelf("account"):
            raise RailError(
                f"The provided key does not have access to account '{account}' (or that account"
                " does not exist). Application access may have been revoked.",
                status=403,
                code="account_invalid",
            )
        return account

    # --- objects -------------------------------------------------------------------------------

    def shelf(self, kind: str, account: str | None = None) -> Shelf:
        """Return the shelf of a kind on an account (None: the platform)."""
        key = (kind, account or self.platform_id)
        found = self._shelves.get(key)
        if found is None:
            render = RENDERERS[kind]

            def rendered(record: Any) -> View:
                if isinstance(record, dict) and (kind, record["id"]) in self.foreign:
                    return record, 0, NEVER
                return render(self, record)

            found = self._shelves[key] = Shelf(rendered)
        return found

    def add(self, kind: str, obj: dict[str, Any], account: str | None = None) -> None:
        """File a new object under its account."""
        home = account or self.platform_id
        self.shelf(kind, home).add(obj["id"], obj["created"], obj)
        self._homes.setdefault((kind, obj["id"]), home)

    def put_foreign(self, kind: str, obj: dict[str, Any], account: str | None) -> None:
        """File an object that came from elsewhere; the ledger and the identities ignore it."""
        if not isinstance(obj.get("id"), str):
            raise RailError(f"got a {kind} without an id; expected a complete object", param="id")
        home = self.holder(account)
        self.shelf(kind, home).add(obj["id"], int(obj.get("created") or 0), obj)
        self._homes.setdefault((kind, obj["id"]), home)
        self.foreign.add((kind, obj["id"]))

    def home(self, kind: str, object_id: str) -> str:
        """Return the account an object lives on, refusing unknown ids."""
        home = self._homes.get((kind, object_id))
        if home is None:
            raise self.missing(kind, object_id)
        return home

    def missing(self, kind: str, object_id: str, status: int = 404) -> RailError:
        """Return Stripe's resource_missing refusal."""
        return RailError(
            f"No such {kind}: '{object_id}'", status=status, code="resource_missing", param="id"
        )

    def record(self, kind: str, object_id: str) -> dict[str, Any]:
        """Return the mutable record of an object; follow changes with `changed`."""
        record = self.shelf(kind, self.home(kind, object_id)).record(object_id)
        if (kind, object_id) in self.foreign:
            raise RailError(f"got foreign {kind} {object_id}; expected one this rail created")
        return record  # type: ignore[no-any-return]

    def changed(self, kind: str, object_id: str) -> None:
        """Forget what was cached of an object."""
        self.shelf(kind, self.home(kind, object_id)).touch(object_id)

    def show(self, kind: str, object_id: str, account: str | None = None) -> dict[str, Any]:
        """Return a detached copy of an object as shown now."""
        if kind == "account" and object_id == self.platform_id:
            return orjson.loads(orjson.dumps(self.platform))  # type: ignore[no-any-return]
        home = self.home(kind, object_id) if account is None else self.holder(account)
        shelf = self.shelf(kind, home)
        if object_id not in shelf:
            raise self.missing(kind, object_id)
        return orjson.loads(shelf.body(object_id, self.now()))  # type: ignore[no-any-return]

    def objects(self, kind: str, account: str | None = None) -> list[dict[str, Any]]:
        """Return detached copies of every object of a kind on an account, newest first."""
        if kind == "event":
            self.announce_due_payouts()
        shelf, now = self.shelf(kind, self.holder(account)), self.now()
        return [orjson.loads(shelf.body(object_id, now)) for object_id in shelf.ids()]

    def account_ids(self) -> list[str]:
        """Return the platform's id and those of the connected accounts, oldest first."""
        return [self.platform_id, *list(self.shelf("account").ids())[::-1]]

    def account_record(self, account: str) -> dict[str, Any]:
        """Return the mutable account object of the platform or of a connected account."""
        if account == self.platform_id:
            return self.platform
        return self.record("account", account)

    # --- movements -----------------------------------------------------------------------------

    def leg(
        self,
        holder: str,
        currency: str,
        amount: int,
        kind: str,
        category: str,
        *,
        source: str | None,
        at: int,
        available_on: int | None = None,
        fees: Sequence[FeePart] = (),
        description: str | None = None,
        exchange_rate: str | None = None,
    ) -> Leg:
        """Return a leg with a fresh balance transaction id; it counts once it is posted."""
        return Leg(
            txn_id=self.new_id("balance_transaction"),
            holder=holder,
            currency=currency,
            amount=amount,
            fees=tuple(fees),
            kind=kind,
            reporting_category=category,
            source=source,
            created=at,
            available_on=at if available_on is None else available_on,
            description=description,
            exchange_rate=exchange_rate,
        )

    def post(self, reason: str, legs: Sequence[Leg], outside: Sequence[Posting] = ()) -> None:
        """Post one movement and file the balance transactions of its legs."""
        self.ledger.post(reason, legs, outside)
        for leg in legs:
            shelf = self.shelf("balance_transaction", leg.holder)
            shelf.add(leg.txn_id, leg.created, leg)
            self._homes.setdefault(("balance_transaction", leg.txn_id), leg.holder)
            self.unswept.setdefault((leg.holder, leg.currency), []).append(leg)

    def sweep(self, holder: str, currency: str, at: int) -> list[Leg]:
        """Take what is available and in no automatic payout yet, oldest first."""
        legs = self.unswept.get((holder, currency), [])
        taken = [leg for leg in legs if leg.available_on <= at]
        self.unswept[holder, currency] = [leg for leg in legs if leg.available_on > at]
        self.swept_at[holder, currency] = at
        return taken

    def txn(self, txn_id: str) -> Leg:
        """Return the leg behind a balance transaction id."""
        leg = self.shelf("balance_transaction", self.home("balance_transaction", txn_id)).record(
            txn_id
        )
        return leg  # type: ignore[no-any-return]

    def convert(self, amount: int, currency: str, into: str) -> tuple[int, str | None]:
        """Return (minor units of `into`, rate text); the rate is None where none was needed."""
        if currency == into:
            return amount, None
        rate = self.exchange_rates.get((currency, into))
        if rate is None:
            raise RailError(
                f"got {currency} for an account of {into} and no rate; set"
                f" rail.exchange_rates[({currency!r}, {into!r})] to a decimal text",
                code="currency_not_supported",
                param="currency",
            )
        return self.at_rate(amount, rate), rate

    @staticmethod
    def at_rate(amount: int, rate: str | None) -> int:
        """Return `amount` at a decimal rate, rounded half up."""
        if rate is None:
            return amount
        return int((Decimal(amount) * Decimal(rate)).quantize(Decimal(1), ROUND_HALF_UP))

    # --- events --------------------------------------------------------------------------------

    def event(self, kind: str, what: str, object_id: str, *, at: int) -> None:
        """Record an event about an object as it is shown now, unless it is past retention."""
        if not self.record_events or at <= self.now() - EVENT_RETENTION_SECONDS:
            return
        if what == "account":
            home, body = object_id, orjson.dumps(self.account_record(object_id))
        else:
            home = self.home(what, object_id)
            body = self.shelf(what, home).body(object_id, self.now())
        self._announce(kind, home, body, at)

    def announce_balance(self, holder: str, at: int) -> None:
        """Record that money of an account became available."""
        if self.record_events:
            body = orjson.dumps(balance_view(self, holder))
            self._announce("balance.available", holder, body, at)

    def announce_departure(self, account_id: str, application: str, at: int) -> None:
        """Record that an account took its authorisation back; events still name it."""
        if self.record_events:
            body = orjson.dumps({"id": application, "object": "application", "name": None})
            kind = "account.application.deauthorized"
            self._announce(kind, self.platform_id, body, at, account_id)

    def _announce(
        self, kind: str, home: str, body: bytes, at: int, about: str | None = None
    ) -> None:
        made = event(
            event_id=self.new_id("event"),
            kind=kind,
            created=at,
            livemode=self.livemode,
            shown=orjson.Fragment(body),
            account=about or (None if home == self.platform_id else home),
            api_version=API_VERSION,
        )
        self.add("event", made, home)

    def announce_due_payouts(self) -> None:
        """Record the events that time alone brought about: payouts that arrived."""
        now, waiting = self.now(), []
        for due, kind, payout_id in self.due_events:
            if due > now:
                waiting.append((due, kind, payout_id))
            elif self.record("payout", payout_id)["status"] not in ("failed", "canceled"):
                self.event(kind, "payout", payout_id, at=due)
        self.due_events = waiting
