"""One Stripe delivery: verified first, then read for its four facts; the rest is forgotten.

Belongs here: what a Stripe event must look like, as a snapshot or a thin notification, and which
part of it is kept. Does not belong here: HTTP (`ingest.deliveries.receiver`), the drop folder,
reading the object again (`ingest.stripe.hints`).

An event proves nothing about an object: it is rendered in its endpoint's API version, arrives out
of order and twice. So only id, type, account and time are taken, as a hint to read again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from ingest.deliveries.signature import DeliveryRefused, verify_signature
from ingest.deliveries.spool import SpooledEvent

__all__ = ["SIGNATURE_HEADER", "StripeDeliveries", "names_in"]

SIGNATURE_HEADER: Final = "Stripe-Signature"
_EVENT_ID: Final = re.compile(r"evt_[A-Za-z0-9_]{1,120}")
_TYPE: Final = re.compile(r"[a-z0-9_]{1,60}(\.[a-z0-9_]{1,60}){1,6}")
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,100}")
_SNAPSHOT: Final = "event"
_THIN: Final = "v2.core.event"
_LAST_SECOND: Final = 253_402_300_799


@dataclass(frozen=True)
class StripeDeliveries:
    """Accepts what Stripe delivers to one home.

    Attributes:
        secrets: Secrets of all endpoints, old and new ones.
        livemode: What the home is bound to; None takes both.
    """

    secrets: Sequence[str]
    livemode: bool | None

    def accept(self, header: str | None, body: bytes, *, now: datetime) -> SpooledEvent:
        """The event of a delivery.

        Args:
            header: Value of `Stripe-Signature`, or None.
            body: Raw bytes as received.
            now: When it was received, UTC-aware.

        Raises:
            DeliveryRefused: As `verify_signature`, then `event_not_utf8`, `event_malformed`,
                `event_wrong_mode`.
        """
        verify_signature(header, body, secrets=self.secrets, now=now)
        event = _read(body)
        if self.livemode is not None and event.get("livemode") is not self.livemode:
            raise DeliveryRefused(
                "event_wrong_mode",
                "an event of the other mode, test or live",
                f"livemode {str(self.livemode).lower()}, as this home is bound",
                "Point this endpoint's deliveries at the home of that mode",
            )
        names = _names(event)
        created = _created(event)
        if names[0] is None or names[1] is None or created is None:
            raise _malformed("an event without a sound id, type or created")
        if event.get("account") is not None and names[2] is None:
            raise _malformed("an event of an account that is no account id")
        return SpooledEvent(names[0], names[1], names[2], created)


def names_in(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Id, type and account that a refused body claims, each only in its strict form."""
    try:
        return _names(_read(body))
    except DeliveryRefused:
        return None, None, None


def _read(body: bytes) -> dict[str, Any]:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise DeliveryRefused("event_not_utf8", "a body that is not UTF-8", "JSON text") from None
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict) or event.get("object") not in (_SNAPSHOT, _THIN):
        raise _malformed("a body that is no event")
    return event


def _names(event: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    # A thin notification names the account it happened on as its context.
    account = event.get("context" if event["object"] == _THIN else "account")
    return (
        _sound(event.get("id"), _EVENT_ID),
        _sound(event.get("type"), _TYPE),
        _sound(account, _ACCOUNT),
    )


def _sound(value: object, pattern: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _created(event: dict[str, Any]) -> datetime | None:
    created = event.get("created")
    if type(created) is int and 0 < created <= _LAST_SECOND:
        return datetime.fromtimestamp(created, UTC)
    if isinstance(created, str) and event["object"] == _THIN:
        try:
            told = datetime.fromisoformat(created)
        except ValueError:
            return None
        return told.astimezone(UTC) if told.tzinfo else None
    return None


def _malformed(got: str) -> DeliveryRefused:
    return DeliveryRefused("event_malformed", got, "an event as Stripe delivers it")
