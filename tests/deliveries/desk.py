"""Deliveries to make: events and their signatures.

Belongs here: making. Does not belong here: assertions.
"""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime
from typing import Any

SECRET = "whsec_test_one"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
T = int(NOW.timestamp())
EMAIL = "jane.doe@example.com"


def event(event_id: str = "evt_1AbC", **over: Any) -> dict[str, Any]:
    """A snapshot event as Stripe sends it, with personal data in its object."""
    return {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": T - 10,
        "type": "charge.updated",
        "livemode": False,
        "account": "acct_1Ada",
        "pending_webhooks": 1,
        "request": None,
        "data": {"object": {"id": "ch_1", "object": "charge", "receipt_email": EMAIL}},
    } | over


def body_of(content: dict[str, Any]) -> bytes:
    """JSON as the wire has it."""
    return json.dumps(content).encode()


def signed(body: bytes, *, secret: str = SECRET, t: int = T) -> str:
    """The header that Stripe would send; a test checks it against the stripe SDK."""
    digest = hmac.new(secret.encode(), f"{t}.".encode() + body, "sha256").hexdigest()
    return f"t={t},v1={digest}"
