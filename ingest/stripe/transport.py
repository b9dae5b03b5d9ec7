"""The bytes of Stripe's answers, under the SDK.

Belongs here: the size limit, a body cut short, and what the SDK gets to see of a body. Does not
belong here: what an answer says, retries (`ingest.stripe.reader`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import stripe

__all__ = ["MAX_BODY_BYTES", "BoundedClient", "BrokenAnswer"]

MAX_BODY_BYTES: Final = 32 * 1024 * 1024


class BrokenAnswer(stripe.APIConnectionError):
    """The connection broke, or the size limit was reached, within the body of an answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)  # type: ignore[no-untyped-call]


class _Body(str):
    """The text of an answer, which does not show itself: the SDK writes every body to its log.

    Of a good answer the SDK is given an empty object, for it would make an ordered mapping of every
    value; what Stripe sent is beside it.
    """

    sent: bytes | None = None

    def __str__(self) -> str:
        return "(not shown)"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return str(self)


class BoundedClient(stripe.RequestsClient):
    """The SDK's own client, reading no more of an answer than a sound one can hold."""

    # The SDK's two base classes disagree about this signature; this is the nearer one's.
    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[_Body, int, Mapping[str, str]]:
        raw, status, answer_headers = self.request_stream(method, url, headers, post_data)
        body = bytearray()
        try:
            while chunk := raw.read(1024 * 1024, decode_content=True):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise ValueError(f"more than {MAX_BODY_BYTES} bytes")
            text = _Body("{}" if status < 300 else body.decode("utf-8"))
            text.sent = bytes(body) if status < 300 else None
        except Exception as error:
            # Whatever the transport raises in the middle of a body is a broken connection to us.
            raw.close()
            raise BrokenAnswer(type(error).__name__) from None
        raw.release_conn()
        return text, status, answer_headers
