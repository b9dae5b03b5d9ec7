"""Who is let in, and the refusals that faults plant before anything is done.

Belongs here: key shapes, restricted-key permissions, and Stripe's 401, 403, 429 and 500 answers.
Does not belong here: refusals that depend on the books (the acts raise those).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping

from ingest.simulator.errors import RailError
from ingest.simulator.faults import Fault
from ingest.simulator.reads import unknown_url

__all__ = ["Keys", "refuse", "server_error"]

# Which restricted-key permission a path needs, by its first part.
_PERMISSIONS = {
    "account": "account",
    "accounts": "account",
    "application_fees": "application_fee",
    "balance": "balance",
    "balance_settings": "balance_settings",
    "balance_transactions": "balance_transaction_source",
    "charges": "charge",
    "disputes": "dispute",
    "events": "event",
    "payment_intents": "payment_intent",
    "payouts": "payout",
    "refunds": "charge",
    "topups": "topup",
    "transfers": "transfer",
}


class Keys:
    """The keys a rail takes.

    Args:
        livemode: decides the shape, `sk_live_` or `sk_test_` (or `rk_`).
        api_key: the one full key taken; None takes any of the right shape.
        restricted: further keys and the permissions they have; write includes read.
    """

    def __init__(
        self, livemode: bool, api_key: str | None, restricted: Mapping[str, Collection[str]]
    ) -> None:
        self._shapes = ("sk_live_", "rk_live_") if livemode else ("sk_test_", "rk_test_")
        self._api_key = api_key
        self._restricted = dict(restricted)

    def check(self, header: str, method: str, path: str) -> None:
        """Refuse an Authorization header that does not allow this request."""
        key = _presented_key(header)
        permissions = self._restricted.get(key)
        if permissions is not None:
            name = _permission(path)
            allowed = f"{name}_write" in permissions or (
                method == "GET" and f"{name}_read" in permissions
            )
            if not allowed:
                raise _forbidden(method, path)
            return
        taken = key.startswith(self._shapes) if self._api_key is None else key == self._api_key
        if not taken:
            shown = f"{key[:8]}***" if key else "none"
            raise RailError(
                f"Invalid API Key provided: {shown}. Set the key this rail was started with.",
                status=401,
            )


def _presented_key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode("ascii").partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return value.strip()


def _permission(path: str) -> str:
    first = path.strip("/").split("/")[1:2]
    return f"rak_{_PERMISSIONS.get(first[0], first[0]) if first else 'none'}"


def _forbidden(method: str, path: str) -> RailError:
    permission = f"{_permission(path)}_{'read' if method == 'GET' else 'write'}"
    return RailError(
        "The provided key does not have the required permissions for this endpoint. Having the"
        f" '{permission}' permission would allow this request to continue.",
        status=403,
    )


def server_error() -> RailError:
    """Return Stripe's 500."""
    return RailError(
        "An unknown error occurred; contact support with the request id.",
        status=500,
        kind="api_error",
    )


def refuse(struck: Mapping[str, Fault], method: str, path: str) -> None:
    """Raise the refusal of a fault that strikes before anything is done, if there is one."""
    if "unauthorized" in struck:
        raise RailError("Invalid API Key provided (planted fault).", status=401)
    if "forbidden" in struck:
        raise _forbidden(method, path)
    if "not_found" in struck:
        raise unknown_url(method, path)
    if "server_error" in struck:
        raise server_error()
    limited = struck.get("rate_limited")
    if limited is not None:
        refusal = RailError(
            "Request rate limit exceeded; slow down.", status=429, code="rate_limit"
        )
        refusal.headers = {
            "Retry-After": str(limited.retry_after_seconds),
            "Stripe-Rate-Limited-Reason": limited.reason,
        }
        raise refusal
    if "lock_timeout" in struck:
        raise RailError(
            "This object cannot be accessed right now because another request is using it.",
            status=429,
            code="lock_timeout",
        )
