"""Opening and changing accounts.

Belongs here: the platform account, connected accounts, balance settings.
Does not belong here: money; an account change never posts anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ingest.simulator import personal as personal_data
from ingest.simulator.account_objects import account, balance_settings, merge_deeply
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.fees import APPLICATION_ID

__all__ = [
    "create_account",
    "delete_account",
    "open_account",
    "open_platform",
    "show_balance_settings",
    "update_account",
    "update_balance_settings",
]


def open_platform(books: Books, *, country: str, currency: str) -> None:
    """Give the books their platform account."""
    books.platform = account(
        object_id=books.platform_id,
        created=0,
        country=country,
        currency=currency,
        is_platform=True,
    )
    books.balance_settings[books.platform_id] = balance_settings()


def create_account(
    books: Books,
    account_id: str,
    *,
    at: int,
    country: str,
    currency: str,
    personal: Mapping[str, str] | None,
    over: Mapping[str, Any],
) -> dict[str, Any]:
    """Open a connected account; see `Rail.create_account`."""
    if account_id == books.platform_id or account_id in books.shelf("account"):
        raise RailError(f"got account {account_id} twice; expected a new account id", param="id")
    made = account(object_id=account_id, created=at, country=country, currency=currency)
    if personal is not None:
        personal_data.into_account(made, personal)
    merge_deeply(made, over)
    books.add("account", made)
    books.balance_settings[account_id] = balance_settings()
    books.event("account.updated", "account", account_id, at=at)
    return books.show("account", account_id)


def open_account(books: Books, *, at: int, over: Mapping[str, Any]) -> dict[str, Any]:
    """Open a connected account under an id of its own."""
    account_id = books.new_id("transfer", "acct")
    return create_account(
        books, account_id, at=at, country="US", currency="usd", personal=None, over=over
    )


def delete_account(books: Books, account_id: str, *, at: int) -> dict[str, Any]:
    """Remove a connected account that never held money.

    Raises:
        RailError: money moved on it, or it is the platform's own.
    """
    if books.holder(account_id) == books.platform_id or books.ledger.currencies(account_id):
        raise RailError(
            f"got account {account_id}; expected a connected one that never held money", param="id"
        )
    books.shelf("account").remove(account_id)
    books.announce_departure(account_id, APPLICATION_ID, at)
    return {"id": account_id, "object": "account", "deleted": True}


def update_account(
    books: Books, account_id: str, *, at: int, over: Mapping[str, Any]
) -> dict[str, Any]:
    """Change an account; see `Rail.update_account`."""
    holder = books.holder(account_id)
    merge_deeply(books.account_record(holder), over)
    if holder != books.platform_id:
        books.changed("account", holder)
    books.event("account.updated", "account", holder, at=at)
    return books.show("account", holder)


def show_balance_settings(books: Books, account_id: str | None) -> dict[str, Any]:
    """Return a detached copy of an account's balance settings."""
    held = books.balance_settings[books.holder(account_id)]
    return orjson.loads(orjson.dumps(held))  # type: ignore[no-any-return]


def update_balance_settings(
    books: Books, payments: Mapping[str, Any], *, at: int, account: str | None
) -> dict[str, Any]:
    """Change balance settings; the payout interval also shows on the account object."""
    holder = books.holder(account)
    held = books.balance_settings[holder]
    asked = payments.get("payouts", {}).get("schedule")
    if asked is not None:
        _set_schedule(held["payments"]["payouts"], asked)
        payments = {**payments, "payouts": {**payments["payouts"]}}
        del payments["payouts"]["schedule"]
    merge_deeply(held["payments"], payments)
    schedule = held["payments"]["payouts"]["schedule"]
    update_account(
        books,
        holder,
        at=at,
        over={"settings": {"payouts": {"schedule": {"interval": schedule["interval"]}}}},
    )
    return show_balance_settings(books, holder)


# Which days an interval takes; no other interval shows them.
_DAYS = {"weekly": "weekly_payout_days", "monthly": "monthly_payout_days"}


def _set_schedule(payouts: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """Replace the schedule: its days are required by their interval and refused by any other."""
    param = "payments[payouts][schedule]"
    was = payouts["schedule"]
    interval = asked.get("interval", was["interval"])
    if interval not in ("manual", "daily", *_DAYS):
        raise RailError(f"Invalid interval: {str(interval)[:20]}", param=f"{param}[interval]")
    takes = _DAYS.get(interval)
    given = {name for name in asked if name != "interval"}
    if given - {takes}:
        raise RailError(f"{interval} payouts take no {min(given - {takes})}", param=param)
    if takes is None:
        payouts["schedule"] = {"interval": interval}
        return
    days = asked.get(takes, was.get(takes))
    if not days:
        raise RailError(f"{interval} payouts need {takes}", param=f"{param}[{takes}]")
    payouts["schedule"] = {"interval": interval, takes: list(days)}
