"""Itemized report CSVs, rendered from the same ledger that the lists show.

Belongs here: the columns Stripe's reports have and how it writes them, major units included. Does
not belong here: report runs over HTTP, or anything that reads a report.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.ledger import Leg

__all__ = ["render_report"]

_HEADER = (
    "balance_transaction_id",
    "created_utc",
    "created",
    "available_on_utc",
    "available_on",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "description",
    "automatic_payout_id",
    "automatic_payout_effective_at_utc",
    "customer_email",
    "connected_account",
)
# Decimals of the API's minor units; the rail knows no other currencies.
_DECIMALS: Mapping[str, int] = {"jpy": 0, "krw": 0, "bhd": 3, "kwd": 3, "ugx": 2, "isk": 2}
_PAYOUTS = ("payout", "payout_reversal")


def render_report(
    books: Books, report_type: str, *, start: int, end: int, account: str | None
) -> str:
    """Return a CSV of the movements created in `[start, end)`.

    Args:
        books: of the world.
        report_type: `balance_change_from_activity` or `payout_reconciliation` of one account, or
            either with `connected_account_` in front, of every connected account.
        start, end: unix seconds.
        account: whose report; None is the platform. Not for the connected ones.
    """
    kind = report_type.removeprefix("connected_account_")
    if kind not in ("balance_change_from_activity", "payout_reconciliation"):
        raise RailError(f"got report_type {report_type[:80]}; expected an itemized one we render")
    connected = kind != report_type
    holder = books.holder(account)
    paid = {txn: payout for payout, txns in books.payout_members.items() for txn in txns}
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    for leg in _legs(books, start, end):
        wanted = leg.holder != books.platform_id if connected else leg.holder == holder
        payout = paid.get(leg.txn_id, "")
        if wanted and (payout or kind != "payout_reconciliation"):
            writer.writerow(_row(leg, payout, leg.holder if connected else ""))
    return text.getvalue()


def _legs(books: Books, start: int, end: int) -> Iterator[Leg]:
    for entry in books.ledger.entries:
        for leg in entry.legs:
            # A payout is no activity, and reconciles others rather than itself.
            if start <= leg.created < end and leg.reporting_category not in _PAYOUTS:
                yield leg


def _row(leg: Leg, payout: str, connected_account: str) -> list[str]:
    created, available = _utc(leg.created), _utc(leg.available_on)
    return [
        leg.txn_id,
        created,
        created,
        available,
        available,
        leg.currency,
        *(_major(amount, leg.currency) for amount in (leg.amount, leg.fee, leg.net)),
        leg.reporting_category,
        leg.source or "",
        leg.description or "",
        payout,
        "",
        f"customer of {leg.source or 'nobody'} <someone@example.com>",
        connected_account,
    ]


def _major(amount: int, currency: str) -> str:
    return f"{Decimal(amount).scaleb(-_DECIMALS.get(currency, 2)):f}"


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
