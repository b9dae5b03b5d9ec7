"""The receiver answers 2xx only for what is on disk, and takes nothing but a sound POST."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.deliveries.receiver import MAX_BODY_BYTES, STRIPE_PATH, Receiver, serve_receiver
from ingest.deliveries.spool import MAX_REFUSALS, DeliverySpool, SpooledRefusal, spool_path
from ingest.errors import SettingError
from ingest.stripe.webhooks import StripeDeliveries
from tests.deliveries.desk import EMAIL, NOW, SECRET, body_of, event, signed

Answered = tuple[int, dict[str, Any]]


class Post:
    """A receiver and a way to call it as a WSGI server would."""

    def __init__(self, home: Path) -> None:
        self.now = NOW
        self.spool = DeliverySpool(home)
        stripe = StripeDeliveries([SECRET], livemode=False)
        self.receiver = Receiver(self.spool, stripe=stripe, clock=lambda: self.now)

    def __call__(self, body: bytes, signature: str | None = None, **environ: Any) -> Answered:
        given = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": STRIPE_PATH,
            "CONTENT_TYPE": "application/json; charset=utf-8",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        } | environ
        if signature is not None:
            given["HTTP_STRIPE_SIGNATURE"] = signature
        said: list[str] = []
        content = b"".join(self.receiver(given, lambda status, _: said.append(status)))
        return int(said[0].split()[0]), json.loads(content)


@pytest.fixture
def post(home: Path) -> Iterator[Post]:
    made = Post(home)
    yield made
    made.spool.close()


def kept(home: Path) -> list[tuple[Any, ...]]:
    """What a stranger finds on disk."""
    with sqlite3.connect(f"file:{spool_path(home)}?mode=ro", uri=True) as db:
        return db.execute("select id, type, account, created from event").fetchall()


def test_a_verified_event_is_on_disk_before_the_answer(home: Path, post: Post) -> None:
    body = body_of(event())
    assert post(body, signed(body)) == (200, {"received": True, "duplicate": False})
    assert kept(home) == [("evt_1AbC", "charge.updated", "acct_1Ada", int(NOW.timestamp()) - 10)]


def test_the_spool_syncs_each_commit(post: Post) -> None:
    assert post.spool._db.execute("pragma synchronous").fetchone() == (2,)


def test_a_full_disk_is_answered_503_and_nothing_is_claimed(
    home: Path, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.spool._db.execute("pragma max_page_count = 1")
    for number in range(200):
        body = body_of(event(f"evt_{number}"))
        status, said = post(body, signed(body))
        if status != 200:
            break
    assert (status, said) == (503, {"error": "spool_unusable"})
    assert len(kept(home)) == number


def test_a_replay_is_kept_once_even_after_a_restart(home: Path, post: Post) -> None:
    body = body_of(event())
    post(body, signed(body))
    assert post(body, signed(body))[1] == {"received": True, "duplicate": True}
    post.spool.close()
    again = Post(home)
    assert again(body, signed(body))[1]["duplicate"] is True
    # A settled event stays known: its replay asks for nothing.
    again.spool.settle({again.spool.waiting(10)[0].seq: "read"}, at=NOW)
    assert again(body, signed(body))[1]["duplicate"] is True
    assert again.spool.newest_waiting() is None
    assert len(kept(home)) == 1
    again.spool.close()


def test_two_receivers_of_one_home_keep_an_event_once(home: Path, post: Post) -> None:
    other = Post(home)
    results = []

    def deliver(to: Post) -> None:
        for number in range(50):
            body = body_of(event(f"evt_{number}"))
            results.append(to(body, signed(body))[1]["duplicate"])

    threads = [threading.Thread(target=deliver, args=(to,)) for to in (post, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 50 + [True] * 50
    assert len(kept(home)) == 50
    other.spool.close()


def test_a_forged_delivery_leaves_a_reason_and_nothing_else(home: Path, post: Post) -> None:
    body = body_of(event())
    status, said = post(body, signed(body, secret="whsec_guess"))
    assert (status, said) == (400, {"error": "signature_digest_mismatch"})
    assert kept(home) == []
    assert [(r.place, r.code, r.event_id) for r in post.spool.refusals()] == [
        ("http", "signature_digest_mismatch", None)
    ]


def test_nothing_personal_reaches_the_disk(home: Path, post: Post) -> None:
    good, bad = body_of(event()), body_of(event(object="charge"))
    post(good, signed(good))
    post(bad, signed(bad))
    post(good)
    post.spool.close()
    for path in home.rglob("*"):
        if path.is_file():
            assert EMAIL.encode() not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"REQUEST_METHOD": "GET"}, 405),
        ({"REQUEST_METHOD": "PUT"}, 405),
        ({"PATH_INFO": "/"}, 404),
        ({"PATH_INFO": STRIPE_PATH + "/"}, 404),
        ({"PATH_INFO": "/ops/money-rails/p/events/ingest"}, 404),
        ({"CONTENT_TYPE": "text/plain"}, 415),
        ({"CONTENT_TYPE": ""}, 415),
        ({"CONTENT_LENGTH": ""}, 411),
        ({"CONTENT_LENGTH": "-1"}, 411),
        ({"CONTENT_LENGTH": "\u0661"}, 411),
        ({"CONTENT_LENGTH": "9" * 400}, 413),
        ({"CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}, 413),
        ({"CONTENT_LENGTH": "5"}, 400),
        ({"CONTENT_LENGTH": "100000"}, 400),
    ],
)
def test_what_is_no_delivery_is_refused_before_it_is_read(
    home: Path, post: Post, environ: dict[str, str], status: int
) -> None:
    body = body_of(event())
    assert post(body, signed(body), **environ)[0] == status
    assert kept(home) == []


def test_refusals_cannot_fill_the_disk(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.deliveries.spool.MAX_REFUSALS", 20)
    assert MAX_REFUSALS == 10_000
    for number in range(50):
        refusal = SpooledRefusal("http", f"code_{number}", None, None, None, NOW)
        post.spool.refuse(refusal)
    codes = [refusal.code for refusal in post.spool.refusals()]
    assert codes == [f"code_{number}" for number in range(49, 29, -1)]


def test_a_settled_event_is_forgotten_only_long_after_stripe_stops_repeating_it(
    home: Path, post: Post
) -> None:
    body = body_of(event())
    post(body, signed(body))
    post.spool.settle({1: "read"}, at=NOW + timedelta(days=89))
    assert len(kept(home)) == 1
    post.spool.settle({}, at=NOW + timedelta(days=91))
    assert kept(home) == []


def test_a_real_server_on_loopback_takes_a_delivery_and_survives_bad_ones(home: Path) -> None:
    made = Post(home)
    server = serve_receiver(made.receiver, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()

    def ask(method: str, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.effective_port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    try:
        body = body_of(event())
        sound = {"Stripe-Signature": signed(body), "Content-Type": "application/json"}
        assert ask("GET", "/health", b"")[0] == 200
        assert ask("POST", STRIPE_PATH, body, **sound) == (
            200,
            b'{"received":true,"duplicate":false}',
        )
        assert ask("POST", STRIPE_PATH, body, **sound)[1] == b'{"received":true,"duplicate":true}'
        # The server may hang up before all of it is sent: the client sees 413 or a broken pipe.
        with contextlib.suppress(ConnectionError):
            assert ask("POST", STRIPE_PATH, b"x" * (MAX_BODY_BYTES + 9), **sound)[0] == 413
        assert ask("POST", STRIPE_PATH, b"\xff\xfe", **sound)[0] == 400
        with pytest.raises(SettingError, match="receiver_port_taken"):
            serve_receiver(made.receiver, host="127.0.0.1", port=server.effective_port)
        assert len(kept(home)) == 1
    finally:
        server.close()
        made.spool.close()
        thread.join(timeout=5)
