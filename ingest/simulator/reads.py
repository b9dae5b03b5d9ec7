"""What GET answers: single objects and pages of lists, as JSON bytes.

Belongs here: the URLs that exist, pages and cursors. Does not belong here: the filters of a list
(filters.py), keys, faults and idempotency (api.py), acts (writes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ingest.simulator import forms
from ingest.simulator.account_objects import capability
from ingest.simulator.accounts import show_balance_settings
from ingest.simulator.books import EVENT_RETENTION_SECONDS, Books
from ingest.simulator.errors import RailError
from ingest.simulator.filters import LISTS, PAGING, bounds, keeper
from ingest.simulator.intents import show_intent
from ingest.simulator.store import PageRequest, Shelf
from ingest.simulator.views import balance_view

__all__ = ["Tampering", "read", "unknown_url"]

_MAX_LIMIT = 100
# Lists inside an object: (parent list, name) to (kind, field of the parent's record).
_INNER = {
    ("transfers", "reversals"): ("transfer_reversal", "reversals"),
    ("application_fees", "refunds"): ("fee_refund", "refunds"),
}


@dataclass(frozen=True)
class Tampering:
    """How faults bend this answer."""

    empty_page: bool = False
    hidden: Callable[[str, int], bool] | None = None


def unknown_url(method: str, path: str) -> RailError:
    """Return the refusal of a URL that does not exist."""
    return RailError(
        f"Unrecognized request URL ({method}: {path[:200]}). Please see"
        " https://stripe.com/docs or check the path.",
        status=404,
    )


def read(books: Books, account: str, path: str, given: Mapping[str, Any], bent: Tampering) -> bytes:
    """Answer a GET below /v1 for one account.

    Args:
        account: whose objects, already known to exist.
        path: e.g. `/v1/transfers/tr_1/reversals`.
        given: decoded query parameters.

    Raises:
        RailError: as Stripe would refuse.
    """
    parts = path.strip("/").split("/")[1:]
    match parts:
        case ["account"]:
            return orjson.dumps(books.account_record(account))
        case ["balance"]:
            return orjson.dumps(balance_view(books, account))
        case ["balance_settings"]:
            return orjson.dumps(show_balance_settings(books, account))
        case ["payment_intents", intent_id]:
            return orjson.dumps(show_intent(books, intent_id, account))
        case ["accounts", account_id, *rest]:
            return _account(books, account_id, rest, path)
        case [name] if name in LISTS:
            return _page_of_list(books, account, name, given, path, bent)
        case [name, object_id] if name in LISTS:
            return _one(books, LISTS[name].kind, object_id, account)
        case ["charges", charge_id, "refunds"]:
            _one(books, "charge", charge_id, account)
            wanted = dict(given) | {"charge": charge_id}
            return _page_of_list(books, account, "refunds", wanted, path, bent)
        case [name, object_id, inner, *rest] if (name, inner) in _INNER and len(rest) < 2:
            return _inner(books, account, (name, object_id, inner), rest, given, bent)
    raise unknown_url("GET", path)


def _one(books: Books, kind: str, object_id: str, account: str) -> bytes:
    shelf = books.shelf(kind, account)
    if object_id not in shelf:
        raise books.missing(kind, object_id)
    return shelf.body(object_id, books.now())


def _account(books: Books, account_id: str, rest: list[str], path: str) -> bytes:
    shown = books.account_record(books.holder(account_id))
    match rest:
        case []:
            return orjson.dumps(shown)
        case ["capabilities"]:
            names = sorted(shown["capabilities"])
            bodies = [orjson.dumps(capability(shown, name)) for name in names]
            return _envelope(bodies, False, path)
        case ["capabilities", name]:
            if name not in shown["capabilities"]:
                raise books.missing("capability", name)
            return orjson.dumps(capability(shown, name))
        case ["external_accounts"]:
            return orjson.dumps(shown["external_accounts"])
    raise unknown_url("GET", path)


def _inner(
    books: Books,
    account: str,
    names: tuple[str, str, str],
    rest: list[str],
    given: Mapping[str, Any],
    bent: Tampering,
) -> bytes:
    name, object_id, inner = names
    kind, field = _INNER[name, inner]
    _one(books, LISTS[name].kind, object_id, account)
    record = books.shelf(LISTS[name].kind, account).record(object_id)
    held = record[field]
    # A foreign parent carries its list verbatim instead of ids.
    ids = [obj["id"] for obj in held["data"]] if isinstance(held, dict) else held
    if rest:
        if rest[0] not in ids:
            raise books.missing(kind, rest[0])
        return _one(books, kind, rest[0], account)
    forms.check_known(given, frozenset(PAGING))
    shelf = _subset(books.shelf(kind, account), [i for i in ids if i in books.shelf(kind, account)])
    path = f"/v1/{name}/{object_id}/{inner}"
    return _page(shelf, given, PageRequest(), path, bent, books.now())


def _subset(shelf: Shelf, ids: Iterable[str]) -> Shelf:
    part = shelf.like()
    for object_id in ids:
        part.add(object_id, shelf.created(object_id), shelf.record(object_id))
    return part


def _page_of_list(
    books: Books,
    account: str,
    name: str,
    given: Mapping[str, Any],
    path: str,
    bent: Tampering,
) -> bytes:
    spec = LISTS[name]
    forms.check_known(given, spec.known())
    shelf = books.shelf(spec.kind, account)
    low, high = bounds(given, "created")
    if spec.kind == "event":
        books.announce_due_payouts()
        low = max(low, books.now() - EVENT_RETENTION_SECONDS)
        high = min(high, books.now())
    payout_id = forms.text(given, "payout")
    if payout_id is not None:
        shelf = _subset(shelf, _members(books, account, payout_id))
    wanted = PageRequest(created_from=low, created_to=high, keep=keeper(spec, given))
    return _page(shelf, given, wanted, path, bent, books.now())


def _members(books: Books, account: str, payout_id: str) -> list[str]:
    shelf = books.shelf("payout", account)
    if payout_id not in shelf:
        raise RailError(f"No such payout: '{payout_id}'", code="resource_missing", param="payout")
    if not shelf.record(payout_id)["automatic"]:
        raise RailError(
            "Balance transaction history can only be filtered on automatic transfers, not manual.",
            param="payout",
        )
    return books.payout_members.get(payout_id, [])


def _page(
    shelf: Shelf,
    given: Mapping[str, Any],
    wanted: PageRequest,
    path: str,
    bent: Tampering,
    now: int,
) -> bytes:
    limit = forms.integer(given, "limit")
    limit = 10 if limit is None else limit
    if not 1 <= limit <= _MAX_LIMIT:
        raise RailError(
            f"Invalid integer: limit must be 1 to {_MAX_LIMIT} (it currently is '{limit}').",
            code="parameter_invalid_integer",
            param="limit",
        )
    after, before = forms.text(given, "starting_after"), forms.text(given, "ending_before")
    if after is not None and before is not None:
        raise RailError(
            "You may only specify one of these parameters: starting_after, ending_before.",
            param="ending_before",
        )
    if bent.empty_page:
        return _envelope([], True, path)
    found = shelf.page(
        PageRequest(
            limit=limit,
            starting_after=after,
            ending_before=before,
            created_from=wanted.created_from,
            created_to=wanted.created_to,
            keep=wanted.keep,
            hidden=bent.hidden,
        )
    )
    if found is None:
        raise RailError(
            f"No such object: '{after or before}'",
            code="resource_missing",
            param="starting_after" if after else "ending_before",
        )
    ids, has_more = found
    return _envelope([shelf.body(object_id, now) for object_id in ids], has_more, path)


def _envelope(bodies: list[bytes], has_more: bool, path: str) -> bytes:
    tail = orjson.dumps({"has_more": has_more, "url": path})
    return b'{"object":"list","data":[' + b",".join(bodies) + b"]," + tail[1:]
