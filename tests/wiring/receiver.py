"""A loopback receiver of notices, as a chat or pager would be.

Belongs here: taking what is posted, in bounds, and stopping by itself. Does not belong here: what a
notice must say.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

__all__ = ["Receiver", "receiving"]

MAX_BYTES = 100_000


class Receiver:
    """What arrived, oldest first.

    Attributes:
        address: Where to send, as apprise spells it; its path is as secret as a chat's.
    """

    def __init__(self, port: int, secret: str) -> None:
        self.address = f"json://127.0.0.1:{port}/{secret}?cto=2&rto=2"
        self.notices: list[dict[str, Any]] = []

    @property
    def lines(self) -> list[str]:
        return [line for notice in self.notices for line in notice["message"].splitlines()]


@contextmanager
def receiving(secret: str = "T0-hushhush-B0") -> Iterator[Receiver]:
    """A receiver on a free port for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_POST(self) -> None:  # the name that the base class calls
            length = min(int(self.headers["Content-Length"]), MAX_BYTES)
            receiver.notices.append(json.loads(self.rfile.read(length)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server.server_port, secret)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join(timeout=5)
