"""One request to one answer: keys, accounts, faults, idempotency; no sockets.

Belongs here: what happens to every request, whatever it asks for. Does not belong here: who may ask
(access.py), what GET shows (reads.py), what POST asks for (writes.py), how bytes travel (http.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Any

import orjson

from ingest.simulator import forms, intents, reads, writes
from ingest.simulator.access import Keys, refuse, server_error
from ingest.simulator.errors import RailError
from ingest.simulator.faults import Fault, Faults
from ingest.simulator.journal import Remembered
from ingest.simulator.objects import API_VERSION
from ingest.simulator.rail import Rail
from ingest.simulator.store import NEVER

__all__ = ["Api", "Call", "Reply", "Request"]

_MAX_KEY_CHARACTERS = 255
_CALLS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """What came in; header names are lower-case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Reply:
    """What goes out; `cut` is "" or how the connection dies instead: `silent`, `torn`."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a test would count it."""

    method: str
    path: str
    account: str
    idempotency_key: str | None
    status: int


class Api:
    """Answers requests for a rail.

    Args:
        rail: whose world it is.
        faults: what goes wrong, also settable by POST /_sim/faults.
        api_key: the one secret key taken; None takes any of the right shape.
        restricted_keys: further keys with the permissions they have, e.g.
            `{"rk_test_read": {"rak_transfer_read", "rak_balance_read"}}`; write includes read.
    """

    def __init__(
        self,
        rail: Rail,
        faults: Faults,
        *,
        api_key: str | None = None,
        restricted_keys: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.rail = rail
        self.faults = faults
        self.calls: deque[Call] = deque(maxlen=_CALLS_KEPT)
        self._keys = Keys(rail.livemode, api_key, restricted_keys or {})
        self._request_numbers = count(1)

    def handle(self, request: Request) -> Reply:
        """Answer one request; never raises RailError."""
        try:
            reply = self._answer(request)
        except RailError as refusal:
            reply = Reply(refusal.status, orjson.dumps(refusal.body()), refusal.headers)
        key = request.headers.get("idempotency-key")
        account = request.headers.get("stripe-account", self.rail.platform_id)
        self.calls.append(Call(request.method, request.path, account, key, reply.status))
        reply.headers |= {
            "Request-Id": f"req_{next(self._request_numbers):014d}",
            "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
        }
        if key is not None and request.method == "POST":
            reply.headers["Idempotency-Key"] = key[:_MAX_KEY_CHARACTERS]
        return reply

    def _answer(self, request: Request) -> Reply:
        self._keys.check(request.headers.get("authorization", ""), request.method, request.path)
        if request.path.startswith("/_sim/"):
            return self._simulator_control(request)
        named = request.headers.get("stripe-account")
        with self.rail.lock:
            account = self.rail.books.holder(named)
        struck = {f.kind: f for f in self.faults.strike(request.method, request.path, account)}
        if "slow" in struck:
            time.sleep(struck["slow"].ms / 1000)
        if "cut_before_acting" in struck:
            return Reply(0, b"", cut="silent")
        refuse(struck, request.method, request.path)
        if request.method == "GET":
            reply = self._read(request, account, struck)
        elif request.method in ("POST", "DELETE"):
            reply = self._act(request, account, struck)
        else:
            raise reads.unknown_url(request.method, request.path)
        if "cut_after_acting" in struck:
            reply.cut = "silent"
        elif "torn_body" in struck:
            reply.cut = "torn"
        return reply

    # --- what is asked -------------------------------------------------------------------------

    def _read(self, request: Request, account: str, struck: Mapping[str, Fault]) -> Reply:
        given = forms.decode(request.query)
        late = struck.get("late_visible")
        hidden = None
        with self.rail.lock:
            if late is not None:
                ids = frozenset(late.ids)
                frontier = self.rail.books.now() - late.seconds if late.seconds else NEVER

                def hidden(object_id: str, created: int) -> bool:
                    return object_id in ids or created > frontier

            bent = reads.Tampering(empty_page="empty_page" in struck, hidden=hidden)
            return Reply(200, reads.read(self.rail.books, account, request.path, given, bent))

    def _act(self, request: Request, account: str, struck: Mapping[str, Fault]) -> Reply:
        try:
            given = forms.decode(request.body.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise RailError("got a body that is not UTF-8; send form-encoded text") from error
        key = request.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= _MAX_KEY_CHARACTERS:
            raise RailError(f"Idempotency keys take 1 to {_MAX_KEY_CHARACTERS} characters")
        fingerprint = sha256(
            orjson.dumps([request.path, given], option=orjson.OPT_SORT_KEYS)
        ).hexdigest()
        with self.rail.lock:
            if key is not None:
                replayed = self._replayed(account, key, fingerprint)
                if replayed is not None:
                    return replayed
            return self._execute(request, account, given, key, fingerprint, struck)

    def _replayed(self, account: str, key: str, fingerprint: str) -> Reply | None:
        held = self.rail.journal.remembered(account, key, self.rail.books.now())
        if held is None:
            return None
        if held.fingerprint != fingerprint:
            raise RailError(
                "Keys for idempotent requests can only be used with the same parameters they were"
                f" first used with. Try using a key other than '{key}' if you meant to execute a"
                " different request.",
                kind="idempotency_error",
            )
        return Reply(held.status, held.body.encode(), {"Idempotent-Replayed": "true"})

    def _execute(
        self,
        request: Request,
        account: str,
        given: Mapping[str, Any],
        key: str | None,
        fingerprint: str,
        struck: Mapping[str, Fault],
    ) -> Reply:
        books, journal = self.rail.books, self.rail.journal
        at = books.now()
        done: str | None = None
        arguments: dict[str, Any] = {}
        try:
            if request.method == "DELETE":
                act, arguments = writes.plan_delete(books, request.path, at)
            else:
                act, arguments = writes.plan(books, account, request.path, given, at)
            made = journal.perform(books, act, arguments)
            # A declined card is an answer of its own, after which the decline stays on the books.
            refused = intents.declined(made)
            done, reply = act, Reply(402 if refused else 200, orjson.dumps(refused or made))
        except RailError as refusal:
            if not refusal.executed:
                raise
            reply = Reply(refusal.status, orjson.dumps(refusal.body()))
        if "error_after_acting" in struck:
            broken = server_error()
            reply = Reply(broken.status, orjson.dumps(broken.body()))
        answer = None
        if key is not None:
            text = reply.body.decode()
            answer = Remembered(account, key, fingerprint, reply.status, text, at)
        if done is not None or answer is not None:
            journal.record(done, arguments if done is not None else {}, answer)
        return reply

    # --- the simulator's own switches ----------------------------------------------------------

    def _simulator_control(self, request: Request) -> Reply:
        shown: dict[str, Any]
        match (request.method, request.path):
            case ("GET", "/_sim/faults"):
                shown = self.faults.as_json()
            case ("POST", "/_sim/faults"):
                try:
                    given = orjson.loads(request.body)
                except orjson.JSONDecodeError as error:
                    raise RailError(f"got faults that are no JSON ({error})") from error
                self.faults.load(given if isinstance(given, dict) else {"rules": given})
                shown = self.faults.as_json()
            case ("GET", "/_sim/invariants"):
                shown = {"violations": self.rail.check_invariants()}
            case ("GET", "/_sim/calls"):
                shown = {"calls": [[c.method, c.path, c.status] for c in list(self.calls)]}
            case _:
                raise reads.unknown_url(request.method, request.path)
        return Reply(200, orjson.dumps(shown))
