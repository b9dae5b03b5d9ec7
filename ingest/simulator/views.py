"""How a stored record is shown at a moment: what time decides and what is embedded.

Belongs here: the status of balance transactions and payouts as a function of the clock, embedded
lists (reversals, fee refunds, dispute balance transactions), and the balance object.
Does not belong here: templates of new objects (objects.py), or any change of state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ingest.simulator.ledger import Leg
from ingest.simulator.store import NEVER, View

if TYPE_CHECKING:
    from ingest.simulator.books import Books

__all__ = ["PAYOUT_PENDING_SECONDS", "RENDERERS", "balance_view", "embedded_list"]

_EMBEDDED_LIMIT = 10
# A payout leaves the platform an hour after it was asked for; until then it can be canceled.
PAYOUT_PENDING_SECONDS = 3600


def _verbatim(_books: Books, record: dict[str, Any]) -> View:
    return record, 0, NEVER


def _balance_transaction(books: Books, leg: Leg) -> View:
    settled = leg.available_on <= books.now()
    shown = {
        "id": leg.txn_id,
        "object": "balance_transaction",
        "amount": leg.amount,
        "available_on": leg.available_on,
        "balance_type": leg.balance_type,
        "created": leg.created,
        "currency": leg.currency,
        "description": leg.description,
        "exchange_rate": None if leg.exchange_rate is None else float(leg.exchange_rate),
        "fee": leg.fee,
        "fee_details": [
            {
                "amount": part.amount,
                "application": part.application,
                "currency": leg.currency,
                "description": part.description,
                "type": part.kind,
            }
            for part in leg.fees
        ],
        "net": leg.net,
        "reporting_category": leg.reporting_category,
        "source": leg.source,
        "status": "available" if settled else "pending",
        "type": leg.kind,
    }
    return (shown, leg.available_on, NEVER) if settled else (shown, 0, leg.available_on)


def embedded_list(url: str, data: Sequence[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """Return Stripe's list envelope."""
    return {"object": "list", "data": list(data), "has_more": has_more, "url": url}


def _newest(books: Books, kind: str, ids: Sequence[str], url: str) -> dict[str, Any]:
    newest = list(ids)[: -_EMBEDDED_LIMIT - 1 : -1]
    shelf = books.shelf(kind)
    data = [shelf.view(object_id) for object_id in newest]
    return embedded_list(url, data, len(ids) > _EMBEDDED_LIMIT)


def _transfer(books: Books, record: dict[str, Any]) -> View:
    url = f"/v1/transfers/{record['id']}/reversals"
    reversals = _newest(books, "transfer_reversal", record["reversals"], url)
    return record | {"reversals": reversals}, 0, NEVER


def _application_fee(books: Books, record: dict[str, Any]) -> View:
    url = f"/v1/application_fees/{record['id']}/refunds"
    refunds = _newest(books, "fee_refund", record["refunds"], url)
    return record | {"refunds": refunds}, 0, NEVER


def _dispute(books: Books, record: dict[str, Any]) -> View:
    since, until, shown = 0, NEVER, []
    for txn_id in record["balance_transactions"]:
        view, view_since, view_until = _balance_transaction(books, books.txn(txn_id))
        shown.append(view)
        since, until = max(since, view_since), min(until, view_until)
    return record | {"balance_transactions": shown}, since, until


def _payout(books: Books, record: dict[str, Any]) -> View:
    now, left = books.now(), record["created"] + PAYOUT_PENDING_SECONDS
    arrival = max(record["arrival_date"], left)
    if now < left:
        status, reconciliation, since, until = "pending", "in_progress", 0, left
    elif now < arrival:
        status, reconciliation, since, until = "in_transit", "completed", left, arrival
    else:
        status, reconciliation, since, until = "paid", "completed", arrival, NEVER
    if not record["automatic"]:
        reconciliation = "not_applicable"
    shown = record | {"reconciliation_status": reconciliation}
    if record["status"] not in ("failed", "canceled"):
        shown["status"] = status
    return shown, since, until


def balance_view(books: Books, holder: str) -> dict[str, Any]:
    """Return the balance object of an account now."""
    now = books.now()
    # A foreign account has no movements here, so its balance is zero in its own currency.
    shown_account = books.platform if holder == books.platform_id else books.show("account", holder)
    home_currency = shown_account["default_currency"]
    currencies = sorted({home_currency, *books.ledger.currencies(holder)})

    def line(currency: str, amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": currency, "source_types": {"card": amount}}

    available = {c: books.ledger.available(holder, c, now) for c in currencies}
    shown: dict[str, Any] = {
        "object": "balance",
        "available": [line(c, available[c]) for c in currencies],
        "livemode": books.livemode,
        "pending": [line(c, books.ledger.total(holder, c) - available[c]) for c in currencies],
    }
    if holder == books.platform_id:
        shown["connect_reserved"] = [{"amount": 0, "currency": home_currency}]
    return shown


RENDERERS: dict[str, Callable[[Books, Any], View]] = {
    "account": _verbatim,
    "application_fee": _application_fee,
    "balance_transaction": _balance_transaction,
    "charge": _verbatim,
    "dispute": _dispute,
    "event": _verbatim,
    "fee_refund": _verbatim,
    "payout": _payout,
    "refund": _verbatim,
    "topup": _verbatim,
    "transfer": _transfer,
    "transfer_reversal": _verbatim,
}
