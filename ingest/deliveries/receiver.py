"""The receiver over HTTP: a small WSGI application, served by waitress on the loopback interface.

Belongs here: method, path, content type, size, and which status a refusal has. Does not belong
here: what makes a delivery sound (`ingest.stripe.webhooks`, `ingest.kernel.deliveries`), TLS and
the public address: a reverse proxy brings deliveries here.

It answers 2xx only once the delivery is on disk. A body is read only up to its limit and parsed
only after its signature was verified. A repeated event is answered 200, so that the sender stops,
and changes nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
import waitress

from ingest.deliveries.signature import DeliveryRefused
from ingest.deliveries.spool import DeliverySpool, SpooledRefusal
from ingest.errors import SettingError, TieoutError
from ingest.stripe.webhooks import StripeDeliveries

__all__ = ["MAX_BODY_BYTES", "STRIPE_PATH", "ProviderRoute", "Receiver", "serve_receiver"]

MAX_BODY_BYTES: Final = 1024 * 1024
STRIPE_PATH: Final = "/webhooks/stripe"
_HEALTH_PATH: Final = "/health"
_PROVIDER_PATH: Final = re.compile(r"/ops/money-rails/([A-Za-z0-9:_-]{1,120})/events/ingest")
_LOG: Final = logging.getLogger(__name__)
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    503: "Service Unavailable",
}

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class ProviderRoute(Protocol):
    """How a kernel provider's delivery is accepted; `ingest.kernel.deliveries` has the real one."""

    def receive(
        self, provider_id: str, environ: Environ, body: bytes, spool: DeliverySpool, now: datetime
    ) -> tuple[int, dict[str, Any]]:
        """The status and the answer, the delivery being on disk when the status is 200."""


class _Answer(Exception):
    """An answer before any delivery was read; control flow inside one request."""

    def __init__(self, status: int, code: str, **headers: str) -> None:
        super().__init__(status, code)
        self.status, self.code, self.headers = status, code, headers


class Receiver:
    """The WSGI application.

    Args:
        spool: Where accepted deliveries go.
        stripe: Accepts Stripe's deliveries; None where no secret is set.
        providers: Accepts deliveries of the kernel's providers; None where none is configured.
        clock: Gives the current UTC time.
    """

    def __init__(
        self,
        spool: DeliverySpool,
        *,
        stripe: StripeDeliveries | None,
        providers: ProviderRoute | None = None,
        clock: Callable[[], datetime],
    ) -> None:
        self._spool = spool
        self._stripe = stripe
        self._providers = providers
        self._clock = clock

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers: dict[str, str] = {}
        try:
            status, said = self._answer(environ)
        except _Answer as refusal:
            status, said, headers = refusal.status, {"error": refusal.code}, refusal.headers
        except TieoutError as error:
            # The disk or the spool failed: the sender must come again.
            _LOG.error("delivery not kept: %s", error.code)
            status, said = 503, {"error": error.code}
        content = orjson.dumps(said)
        start_response(
            f"{status} {_REASONS[status]}",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(content))),
                *((name.replace("_", "-"), value) for name, value in headers.items()),
            ],
        )
        return [content]

    def _answer(self, environ: Environ) -> tuple[int, dict[str, Any]]:
        path = str(environ.get("PATH_INFO", ""))
        if path == _HEALTH_PATH and environ["REQUEST_METHOD"] == "GET":
            return 200, {"ok": True}
        provider = _PROVIDER_PATH.fullmatch(path)
        if path == STRIPE_PATH and self._stripe is not None:
            return self._receive_stripe(environ, _body(environ), self._stripe)
        if provider and self._providers is not None:
            body = _body(environ)
            now = self._clock()
            return self._providers.receive(provider[1], environ, body, self._spool, now)
        raise _Answer(404, "path_unknown")

    def _receive_stripe(
        self, environ: Environ, body: bytes, stripe: StripeDeliveries
    ) -> tuple[int, dict[str, Any]]:
        now = self._clock()
        try:
            event = stripe.accept(environ.get("HTTP_STRIPE_SIGNATURE"), body, now=now)
        except DeliveryRefused as refusal:
            self._spool.refuse(SpooledRefusal("http", refusal.code, None, None, None, now))
            return 400, {"error": refusal.code}
        added = self._spool.add_event(event, at=now)
        return 200, {"received": True, "duplicate": not added}


def _body(environ: Environ) -> bytes:
    """The whole body, within its limit, of a POST that says what it is."""
    if environ["REQUEST_METHOD"] != "POST":
        raise _Answer(405, "method_not_allowed", Allow="POST")
    kind = str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _Answer(415, "content_type_unsupported")
    told = str(environ.get("CONTENT_LENGTH") or "")
    if not (told.isascii() and told.isdigit()):
        raise _Answer(411, "length_required")
    if len(told) > 10 or int(told) > MAX_BODY_BYTES:
        raise _Answer(413, "body_too_large")
    body = environ["wsgi.input"].read(int(told) + 1)
    if len(body) != int(told):
        raise _Answer(400, "body_length_wrong")
    return bytes(body)


def serve_receiver(receiver: Receiver, *, host: str, port: int, threads: int = 8) -> Any:
    """A waitress server on `host`:`port` (0: a free one); call `.run()`, and `.close()` to end.

    Raises:
        SettingError: The port is taken or the address is not this machine's.
    """
    try:
        return waitress.create_server(
            receiver,
            host=host,
            port=port,
            threads=threads,
            ident="",
            clear_untrusted_proxy_headers=True,
            max_request_header_size=16_384,
            # One byte beyond our limit, so that the application gives the answer.
            max_request_body_size=MAX_BODY_BYTES + 1,
            connection_limit=200,
            channel_timeout=30,
        )
    except OSError as error:
        raise SettingError(
            got=f"{type(error).__name__} for port {port} of {host}",
            expected="a free port of this machine",
            remedy="Choose another --port, or stop what listens there",
            code="receiver_port_taken",
        ) from None
