"""A few Stripe endpoints on 127.0.0.1, just enough to see what the rail sends and how it reads.

Belongs here: scripted answers, recorded requests, and ways to break a connection. Does not belong
here: an accounting of its own; the simulator has one.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.payouts.desk import START


@dataclass
class Request:
    method: str
    path: str
    fields: dict[str, str]
    headers: dict[str, str]


@dataclass
class Loopback:
    """`script` holds the next answers: (status, body) or the name of a way to fail."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    script: deque[Any] = field(default_factory=deque)
    headers: dict[str, str] = field(default_factory=dict)
    send_date: bool = True


def transfer_body(**over: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": "tr_1",
        "object": "transfer",
        "amount": 1000,
        "amount_reversed": 0,
        "balance_transaction": "txn_1",
        "created": int(START.timestamp()),
        "currency": "usd",
        "description": None,
        "destination": "acct_pa",
        "livemode": False,
        "metadata": {"nooterra_tenant_id": "t1"},
        "reversals": {"object": "list", "data": [], "has_more": False, "url": "/x"},
        "reversed": False,
        "source_transaction": None,
        "transfer_group": "t1:party:pa:period:2026-10:statement:s1",
    }
    return {**body, **over}


def page(*rows: dict[str, Any], has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(rows), "has_more": has_more, "url": "/v1/transfers"}


@contextmanager
def loopback() -> Iterator[Loopback]:
    state = Loopback()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(START, usegmt=True)

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            text = self.rfile.read(length).decode() or urlsplit(self.path).query
            fields = dict(parse_qsl(text))
            path = urlsplit(self.path).path
            state.requests.append(Request(self.command, path, fields, dict(self.headers)))
            answer = state.script.popleft()
            if answer == "cut":
                self.connection.close()
                return
            status, body = answer
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response_only(status)
            if state.send_date:
                self.send_header("Date", self.date_time_string())
            for name, value in state.headers.items():
                self.send_header(name, value)
            claimed = len(data) + (100 if "X-Cut-Body" in state.headers else 0)
            self.send_header("Content-Length", str(claimed))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = True

        do_GET = do_POST = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
