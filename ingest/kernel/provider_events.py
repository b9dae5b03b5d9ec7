"""From a provider's delivery to a step of a money rail operation, as the kernel maps them.

Belongs here: event types, the Stripe mapping, which facts of a payload are kept, and the flat list
of checks that binds an event to its operation. Does not belong here: signatures and HTTP
(`ingest.kernel.deliveries`), the order of steps (`ingest.kernel.operation_steps`).

Two things differ from the kernel. Stripe's transfers have had no status for years, so nothing ever
says `transfer.paid`: a transfer whose payment has arrived (`destination_payment`) is confirmed. And
a partial reversal reverses nothing as a whole: it is noted and moves no operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["EVENT_TYPES", "EventRefused", "Operation", "binding_faults", "facts_of"]

EVENT_TYPES: Final = ("submitted", "confirmed", "failed", "cancelled", "reversed")
_STRIPE_TYPES: Final = {
    "transfer.created": "submitted",
    "transfer.pending": "submitted",
    "transfer.paid": "confirmed",
    "payout.paid": "confirmed",
    "transfer.failed": "failed",
    "payout.failed": "failed",
    "transfer.canceled": "cancelled",
    "transfer.cancelled": "cancelled",
    "payout.canceled": "cancelled",
    "payout.cancelled": "cancelled",
    "transfer.reversed": "reversed",
    "transfer.refunded": "reversed",
}
_STRIPE_STATUSES: Final = {
    "paid": "confirmed",
    "failed": "failed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
}
# A word that names something; free text never reaches the disk.
_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/=|-]{0,499}")
_BOUND: Final = ("payout_key", "tenant_id", "provider_id")
_LAST_SECOND: Final = 253_402_300_799


class EventRefused(Exception):
    """A delivery that names no event; `message` is the kernel's text for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Operation:
    """What the kernel's export says of an operation, as far as a binding needs it."""

    tenant_id: str
    provider_id: str
    operation_id: str
    state: str
    payout_key: str | None
    provider_ref: str | None
    amount_cents: int
    currency: str
    destination: str | None
    artifact_hash: str | None
    is_payout: bool = True


def facts_of(
    provider_id: str,
    status_map: Mapping[str, str],
    body: Mapping[str, Any],
    *,
    received_at: datetime,
) -> dict[str, Any]:
    """The facts of a delivery that are kept; JSON types only.

    Args:
        provider_id: Whose delivery it is; ids that start with `stripe` may send Stripe's events.
        status_map: The provider's status words, in lower case.
        body: The parsed body: the kernel's fields, or a Stripe event at its root or as `payload`.
        received_at: The time of an event that names none.

    Raises:
        EventRefused: `event_type_invalid` or `event_time_invalid`, with the kernel's message.
    """
    event = _stripe_event(body) if provider_id.startswith("stripe") else None
    obj = event["data"]["object"] if event else {}
    types, partial = _types(status_map, body, event, obj)
    at = _time(body, event, received_at)
    event_id = _word(body.get("eventId")) or _word(event.get("id") if event else None)
    told = obj.get("metadata")
    metadata: Mapping[str, Any] = told if isinstance(told, dict) else {}
    operation_id = _word(body.get("operationId")) or _named(metadata, "operation_id")
    provider_ref = _word(body.get("providerRef")) or _word(obj.get("id"))
    stripe_type = str(event["type"]) if event else None
    subject = operation_id or provider_ref or _named(metadata, "payout_key") or ""
    return {
        "dedupe_key": f"{subject}\n{types[0]}\n{event_id or at}",
        "event_types": list(types),
        "partial": partial,
        "operation_id": operation_id,
        "event_id": event_id,
        "at": at,
        "provider_ref": provider_ref,
        "reason_code": _word(body.get("reasonCode")),
        "stripe_type": stripe_type,
        "meta_payout_key": _named(metadata, "payout_key"),
        "meta_tenant_id": _named(metadata, "tenant_id"),
        "meta_provider_id": _named(metadata, "provider_id"),
        "destination": _word(obj.get("destination")),
        "amount_cents": obj["amount"] if type(obj.get("amount")) is int else None,
        "currency": _word(obj.get("currency")),
    }


def binding_faults(
    facts: Mapping[str, Any],
    operation: Operation,
    instructions: Mapping[tuple[str, str], str | None],
    *,
    production: bool,
) -> tuple[str, str] | None:
    """The first binding that fails, as (code, what is wrong), or None.

    Args:
        facts: From `facts_of`.
        operation: What the event claims to move.
        instructions: Artifact hash of each (tenant, payout key) that an instruction exists for.
        production: Whether the provider moves real money; only then Stripe's events must be bound.
    """
    if facts["stripe_type"] is not None and production:
        absent = [f"metadata.nooterra_{n}" for n in _BOUND if facts[f"meta_{n}"] is None]
        if absent:
            return "MONEY_RAIL_PROVIDER_EVENT_BINDING_REQUIRED", ",".join(absent)
        wrong = [
            f"metadata.nooterra_{n}" for n in _BOUND if facts[f"meta_{n}"] != getattr(operation, n)
        ]
        if str(facts["stripe_type"]).startswith("transfer."):
            expected = (operation.destination, operation.amount_cents, operation.currency.lower())
            shown = (facts["destination"], facts["amount_cents"], str(facts["currency"]).lower())
            names = ("destination", "amount", "currency")
            wrong += [n for n, e, s in zip(names, expected, shown, strict=True) if e != s]
        if wrong:
            return "MONEY_RAIL_PROVIDER_EVENT_BINDING_MISMATCH", ",".join(wrong)
    if operation.is_payout and (fault := _artifact_fault(operation, instructions)):
        return "MONEY_RAIL_PAYOUT_BINDING_MISMATCH", fault
    return None


def _artifact_fault(
    operation: Operation, instructions: Mapping[tuple[str, str], str | None]
) -> str | None:
    """Why a payout's operation is not bound to its instruction; one that names no hash is not."""
    key = (operation.tenant_id, operation.payout_key or "")
    if operation.artifact_hash is None:
        return "artifact_hash_missing"
    if key not in instructions:
        return "artifact_missing"
    return None if instructions[key] == operation.artifact_hash else "artifact_hash_mismatch"


def _types(
    status_map: Mapping[str, str],
    body: Mapping[str, Any],
    event: Mapping[str, Any] | None,
    obj: Mapping[str, Any],
) -> tuple[tuple[str, ...], bool]:
    told, status = body.get("eventType"), body.get("providerStatus")
    if event is not None and told is None and status is None:
        return _stripe_types(str(event["type"]), obj)
    if told is not None and told not in EVENT_TYPES:
        raise _wrong_type(f"eventType must be one of: {', '.join(EVENT_TYPES)}")
    if status is not None:
        word = str(status).lower()
        mapped = status_map.get(word) or (word if word in EVENT_TYPES else None)
        if mapped is None and told is None:
            shown = word if _WORD.fullmatch(word) and len(word) <= 60 else "?"
            raise _wrong_type(f"unmapped providerStatus: {shown}")
        if mapped is not None and told is not None and mapped != told:
            raise _wrong_type("eventType does not match providerStatus mapping")
        told = told or mapped
    if told is None:
        raise _wrong_type("eventType or providerStatus is required")
    return (told,), False


def _stripe_types(stripe_type: str, obj: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    mapped = _STRIPE_TYPES.get(stripe_type)
    if stripe_type == "transfer.updated":
        status = _STRIPE_STATUSES.get(str(obj.get("status")), "submitted")
        mapped = "reversed" if obj.get("reversed") is True else status
    if mapped is None:
        raise _wrong_type("eventType or providerStatus is required")
    amount, back = obj.get("amount"), obj.get("amount_reversed")
    if mapped == "reversed" and type(amount) is int and type(back) is int and back < amount:
        return ("reversed",), True
    if mapped == "submitted" and _word(obj.get("destination_payment")):
        return ("submitted", "confirmed"), False
    return (mapped,), False


def _stripe_event(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for found in (body, body.get("payload")):
        if isinstance(found, dict) and found.get("object") == "event":
            data = found.get("data")
            if isinstance(data, dict) and isinstance(data.get("object"), dict):
                return found
    return None


def _time(body: Mapping[str, Any], event: Mapping[str, Any] | None, received_at: datetime) -> str:
    told = body.get("at")
    created = event.get("created") if event else None
    if told is not None:
        try:
            at = datetime.fromisoformat(told)
        except (ValueError, TypeError):
            at = None
        if at is None or at.tzinfo is None:
            raise EventRefused("event_time_invalid", "at must be an ISO date-time")
    elif type(created) is int and 0 < created <= _LAST_SECOND:
        at = datetime.fromtimestamp(created, UTC)
    else:
        at = received_at
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _named(metadata: Mapping[str, Any], name: str) -> str | None:
    """A member of rail metadata, under the kernel's name now or before; an operation's id bare."""
    names = [f"nooterra_{name}", f"settld_{name}", *([name] if name == "operation_id" else [])]
    return next((word for n in names if (word := _word(metadata.get(n)))), None)


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _wrong_type(message: str) -> EventRefused:
    return EventRefused("event_type_invalid", message)
