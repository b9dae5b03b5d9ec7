"""The rail on a loopback port, speaking HTTP/1.1 to the unmodified `stripe` SDK.

Belongs here: sockets, framing, size limits and cut connections. Does not belong here: what an
answer says (api.py). It listens on 127.0.0.1 only, refuses other `Host` names, and serves each
connection in a daemon thread.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType

import orjson

from ingest.simulator.api import Api, Call, Reply, Request
from ingest.simulator.errors import RailError
from ingest.simulator.faults import Faults
from ingest.simulator.rail import Rail

__all__ = ["Server", "serve"]

_HOST = "127.0.0.1"
_MAX_BODY_BYTES = 1 << 20
_MAX_CONNECTIONS = 256
_IDLE_TIMEOUT_SECONDS = 120


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, api: Api) -> None:
        self.api = api
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        super().__init__((_HOST, port), _Handler)

    def enter(self, connection: socket.socket) -> bool:
        """Count a connection in; False where there are too many."""
        with self._lock:
            if len(self._open) >= _MAX_CONNECTIONS:
                return False
            self._open.add(connection)
            return True

    def leave(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def hang_up(self) -> None:
        """Close every open connection, so that no client waits for a server that is gone."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: a client that went away is not the simulator's news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = _IDLE_TIMEOUT_SECONDS
    server: _Listener

    def handle(self) -> None:
        if not self.server.enter(self.connection):
            return
        try:
            with suppress(ConnectionError, TimeoutError):
                super().handle()
        finally:
            self.server.leave(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: requests may carry planted personal data and keys."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            body = self._body()
            self._check_host()
        except RailError as refusal:
            self.close_connection = True
            self._send(Reply(refusal.status, orjson.dumps(refusal.body())))
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.api.handle(Request(self.command, path, query, headers, body)))

    def _check_host(self) -> None:
        name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if name not in (_HOST, "localhost"):
            raise RailError(f"got Host {name[:80]!r}; expected {_HOST}", status=421)

    def _body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise RailError("got a chunked body; send Content-Length", status=411)
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _MAX_BODY_BYTES:
            raise RailError(
                f"got a body of {length[:20]} bytes; expected at most {_MAX_BODY_BYTES}", status=413
            )
        return self.rfile.read(int(length))

    def _send(self, reply: Reply) -> None:
        if reply.cut == "silent":
            self._cut()
            return
        reason = HTTPStatus(reply.status).phrase
        head = [f"HTTP/1.1 {reply.status} {reason}", "Content-Type: application/json"]
        # The rail's clock, as Stripe tells it: callers date their intents against it.
        head.append(f"Date: {formatdate(self.server.api.rail.books.now(), usegmt=True)}")
        head.append(f"Content-Length: {len(reply.body)}")
        head += [f"{name}: {_one_line(value)}" for name, value in reply.headers.items()]
        if self.close_connection:
            head.append("Connection: close")
        self.wfile.write("\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n")
        if reply.cut == "torn":
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.wfile.flush()
            self._cut()
            return
        self.wfile.write(reply.body)

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")


class Server:
    """A rail being served; close it, or use it as a context."""

    def __init__(self, listener: _Listener) -> None:
        self._listener = listener
        self._thread = Thread(
            target=listener.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="simulated-rail",
            daemon=True,
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return self._listener.server_address[1]

    @property
    def url(self) -> str:
        """The base address for `StripeClient(base_addresses={"api": url})`."""
        return f"http://{_HOST}:{self.port}"

    @property
    def rail(self) -> Rail:
        return self._listener.api.rail

    @property
    def faults(self) -> Faults:
        return self._listener.api.faults

    @property
    def calls(self) -> deque[Call]:
        """The last requests, oldest first."""
        return self._listener.api.calls

    def close(self) -> None:
        """Stop listening, hang up and free the port."""
        self._listener.shutdown()
        self._thread.join(timeout=5)
        self._listener.server_close()
        self._listener.hang_up()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(
    rail: Rail,
    *,
    port: int = 0,
    faults: Faults | None = None,
    api_key: str | None = None,
    restricted_keys: Mapping[str, Collection[str]] | None = None,
) -> Server:
    """Serve a rail on 127.0.0.1, after replaying its journal.

    Args:
        rail: the planted world; acts may go on in Python while it is served.
        port: 0 takes a free one.
        faults: what goes wrong; changeable through `Server.faults` and POST /_sim/faults.
        api_key: the one secret key taken; None takes any of the right shape.
        restricted_keys: further keys and the permissions they have; see `Api`.

    Raises:
        RailError: the journal does not fit the planted world.
        OSError: the port is taken.
    """
    rail.start_journal()
    api = Api(rail, faults or Faults(), api_key=api_key, restricted_keys=restricted_keys)
    return Server(_Listener(port, api))
