"""The signature of one delivery: `t=<unix seconds>,v1=<hex>[,v1=...]` over `<t>.<raw body>`.

Belongs here: the one check that Stripe's header and the kernel's share. Does not belong here:
which secrets there are, what a body says, how a refusal is answered.

It checks that somebody who knows one of the secrets signed these bytes at about this time. It does
not check that the bytes are new: a replay within the window is refused by event id, in the spool.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ingest.errors import TieoutError

__all__ = ["TOLERANCE_SECONDS", "DeliveryRefused", "verify_signature"]

TOLERANCE_SECONDS: Final = 300
_MAX_HEADER_CHARACTERS: Final = 4_096
_MAX_DIGESTS: Final = 16
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


class DeliveryRefused(TieoutError):
    """A delivery that is not accepted; nothing of its body is kept."""

    default_code = "delivery_refused"

    def __init__(self, code: str, got: str, expected: str, remedy: str = "") -> None:
        super().__init__(got, expected, remedy or "Look at the sender's settings", code)


def verify_signature(
    header: str | None,
    body: bytes,
    *,
    secrets: Sequence[str],
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> None:
    """Returns when one of the secrets signed the body within the tolerance, both ways.

    Args:
        header: The signature header as received, or None.
        body: The raw bytes.
        secrets: All that are valid now; several while one is rotated.
        now: Current time, UTC-aware.
        tolerance_seconds: How far the signed time may lie before or after `now`, inclusive.

    Raises:
        DeliveryRefused: `signature_secret_missing`, `signature_header_missing`,
            `signature_timestamp_invalid`, `signature_timestamp_missing`,
            `signature_digest_missing`, `signature_digest_mismatch`,
            `signature_outside_tolerance`; checked in this order, the digest before the time.
    """
    usable = [secret for secret in secrets if secret.strip()]
    if not usable:
        raise DeliveryRefused(
            "signature_secret_missing",
            "a receiver without a secret",
            "at least one endpoint secret",
            "Set TIEOUT_STRIPE_WEBHOOK_SECRETS (or the provider's secrets) and start again",
        )
    if not header or not header.strip():
        raise DeliveryRefused(
            "signature_header_missing", "a delivery without signature header", "a signed delivery"
        )
    stamp, digests = _read(header)
    signed = stamp.encode("ascii") + b"." + body
    # Every secret meets every digest, so that the time taken tells nothing.
    matches = [
        hmac.compare_digest(hmac.digest(secret.encode(), signed, "sha256").hex().encode(), digest)
        for secret in usable
        for digest in digests
    ]
    if not any(matches):
        raise DeliveryRefused(
            "signature_digest_mismatch",
            "a signature that none of the secrets made",
            "the body exactly as the sender signed it",
            "Compare the endpoint's secret with ours, and let no proxy rewrite the body",
        )
    if abs(int(now.timestamp()) - int(stamp)) > tolerance_seconds:
        raise DeliveryRefused(
            "signature_outside_tolerance",
            "a signature from another time",
            f"one made within {tolerance_seconds} s of now, before or after",
            "Let the sender deliver again, and compare the clocks",
        )


def _read(header: str) -> tuple[str, list[bytes]]:
    """The signed time as written, and every v1 digest in lower case."""
    stamps: list[str] = []
    digests: list[bytes] = []
    pairs = header.split(",") if len(header) <= _MAX_HEADER_CHARACTERS else []
    for pair in pairs:
        name, _, value = pair.strip().partition("=")
        if name.strip() == "t":
            stamps.append(value.strip())
        elif name.strip() == "v1" and value.strip():
            # What is not ASCII cannot be a digest; compare_digest takes bytes of any kind.
            digests.append(value.strip().lower().encode("utf-8", "replace"))
    if not pairs or len(digests) > _MAX_DIGESTS or len(stamps) > 1:
        raise _invalid_time("an overlong header, or one with several times")
    if stamps and not (stamps[0].isascii() and _SECONDS.fullmatch(stamps[0])):
        raise _invalid_time("a time that is no whole number of seconds")
    if not stamps:
        raise DeliveryRefused(
            "signature_timestamp_missing", "a signature without time", "t=<unix seconds>"
        )
    if not digests:
        raise DeliveryRefused(
            "signature_digest_missing", "a signature without v1 digest", "v1=<hex HMAC-SHA256>"
        )
    return stamps[0], digests


def _invalid_time(got: str) -> DeliveryRefused:
    return DeliveryRefused("signature_timestamp_invalid", got, "one t=<unix seconds>")
