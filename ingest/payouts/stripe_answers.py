"""Stripe's answers, read strictly: every field of the expected type, every failure named.

Belongs here: from an SDK object or error to our own shapes. Does not belong here: making requests.

An answer counts as a rejection only if Stripe's own error body says so with a status that means
nothing was done; a proxy's page with the same status does not. No message of the SDK or of Stripe
leaves this module, because it may quote the key or the request: only statuses and short codes do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, TypeVar

import stripe

from ingest.payouts.rail import REJECTING_STATUSES, RailRejected, RailTransfer, RailUnclear
from ingest.payouts.schedules import PayoutSchedule

__all__ = [
    "AccountState",
    "account_state_of",
    "ask",
    "dispute_of",
    "exactly",
    "list_all",
    "movement_of",
    "read",
    "schedule_of",
    "transfer_of",
]

_PAGE: Final = 100
_MAX_PAGES: Final = 100
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")

T = TypeVar("T")


@dataclass(frozen=True)
class AccountState:
    """What Stripe says now of a connected account's ability to receive."""

    account_id: str
    transfers_active: bool
    payouts_enabled: bool
    disabled_reason: str | None


def ask(call: Callable[[], T]) -> tuple[T, datetime]:
    """Make one call; return its answer and the rail's clock, or say how it failed and no more."""
    failure: RailRejected | RailUnclear
    try:
        answer = call()
    except Exception as error:
        failure = _failure_of(error)
    else:
        return answer, read(lambda: _clock_of(answer))
    # Raised outside the handler: the SDK's error, which may quote key and request, stays behind.
    raise failure


def list_all(
    fetch: Callable[[Any], Any],
    filters: Mapping[str, Any],
    parse: Callable[[Any], T],
    identify: Callable[[T], str],
) -> tuple[list[T], datetime]:
    """Read a list to its end, newest first; return its rows and the rail's clock as it began.

    Raises:
        RailUnclear: When a page fails, cannot be read, or the list does not end.
    """
    found: dict[str, T] = {}
    cursor: dict[str, str] = {}
    began: datetime | None = None
    for _ in range(_MAX_PAGES):
        params = {**filters, **cursor, "limit": _PAGE}
        page, rail_now = ask(partial(fetch, params))
        began = began or rail_now
        rows = read(partial(_parse_page, page, parse))
        fresh = {identify(row): row for row in rows}
        if len(fresh) < len(rows) or not found.keys().isdisjoint(fresh):
            # A cursor never shows a row twice: what else this list leaves out, nobody knows.
            raise RailUnclear("listing_repeats")
        found |= fresh
        if page.has_more is False:
            return list(found.values()), began
        last = {"starting_after": identify(rows[-1])} if rows else cursor
        if last == cursor:
            raise RailUnclear("listing_does_not_end")
        cursor = last
    raise RailUnclear("listing_too_long")


def _parse_page(page: Any, parse: Callable[[Any], T]) -> list[T]:
    exactly(page.has_more, bool)
    return [parse(row) for row in page.data]


def _failure_of(error: Exception) -> RailRejected | RailUnclear:
    if not isinstance(error, stripe.StripeError):
        return RailUnclear("unreadable")
    if isinstance(error, stripe.APIConnectionError):
        return RailUnclear("connection")
    if isinstance(error, stripe.RateLimitError) or error.http_status == 429:
        return RailUnclear("rate_limited")
    if isinstance(error, stripe.IdempotencyError):
        # The key was used before with other parameters: so something was done under it.
        return RailUnclear("idempotency_conflict")
    body = error.json_body
    detail = body.get("error") if isinstance(body, dict) else None
    status = error.http_status
    if status not in REJECTING_STATUSES or not isinstance(detail, dict):
        return RailUnclear(f"status_{status}" if isinstance(status, int) else "unreadable")
    named = detail.get("code") or detail.get("type")
    if not isinstance(named, str) or not _CODE.fullmatch(named):
        return RailUnclear("unreadable")
    return RailRejected(status, named)


def read(parse: Callable[[], T]) -> T:
    """Take fields from an answer; an answer that lacks them is unclear, never a default."""
    try:
        return parse()
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        pass
    raise RailUnclear("unreadable")


def _clock_of(answer: Any) -> datetime:
    moment: datetime = parsedate_to_datetime(answer.last_response.headers["date"])
    return moment.astimezone(UTC)


def transfer_of(row: Any) -> RailTransfer:
    metadata = row.metadata or {}
    return RailTransfer(
        transfer_id=_id(row.id, "tr_"),
        amount_cents=exactly(row.amount, int),
        currency=exactly(row.currency, str),
        destination_account_id=_id(_plain_id(row.destination), "acct_"),
        transfer_group=row.transfer_group,
        livemode=exactly(row.livemode, bool),
        created_at=_moment(row.created),
        amount_reversed_cents=exactly(row.amount_reversed, int),
        meta_tenant_id=_first(metadata, ("nooterra_tenant_id", "settld_tenant_id", "tenant_id")),
        meta_payout_key=_first(
            metadata, ("nooterra_payout_key", "settld_payout_key", "payout_key")
        ),
    )


def account_state_of(account: Any, account_id: str) -> AccountState:
    if account.id != account_id:
        raise ValueError("another account")
    requirements = getattr(account, "requirements", None)
    capabilities = getattr(account, "capabilities", None)
    return AccountState(
        account_id=account_id,
        transfers_active=getattr(capabilities, "transfers", None) == "active",
        payouts_enabled=exactly(account.payouts_enabled, bool),
        disabled_reason=getattr(requirements, "disabled_reason", None),
    )


def dispute_of(row: Any) -> str:
    """Id of a dispute."""
    return _id(row.id, "")


def movement_of(row: Any) -> tuple[str, str]:
    """Id and reporting category of a balance transaction."""
    return _id(row.id, ""), exactly(row.reporting_category, str)


def schedule_of(settings: Any) -> PayoutSchedule:
    """The payout schedule of an account's balance settings."""
    schedule = settings.payments.payouts.schedule
    weekly = getattr(schedule, "weekly_payout_days", None) or []
    monthly = getattr(schedule, "monthly_payout_days", None) or []
    return PayoutSchedule(
        interval=exactly(schedule.interval, str),
        weekly_payout_days=tuple(exactly(day, str) for day in weekly),
        monthly_payout_days=tuple(exactly(day, int) for day in monthly),
    )


def _moment(unix_seconds: object) -> datetime:
    return datetime.fromtimestamp(exactly(unix_seconds, int), tz=UTC)


def exactly(value: object, kind: type[T]) -> T:
    # Exact types: True is no amount.
    if type(value) is not kind:
        raise TypeError(kind.__name__)
    return value


def _id(value: object, prefix: str) -> str:
    text = exactly(value, str)
    if not text.startswith(prefix) or len(text) <= len(prefix):
        raise ValueError(prefix)
    return text


def _plain_id(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else value.id


def _first(metadata: Any, names: tuple[str, ...]) -> str | None:
    return next((metadata[name] for name in names if name in metadata), None)
