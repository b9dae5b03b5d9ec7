"""Of an event its id, type, account and time are taken, and only after its signature."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ingest.deliveries.signature import DeliveryRefused
from ingest.deliveries.spool import SpooledEvent
from ingest.stripe.webhooks import StripeDeliveries, names_in
from tests.deliveries.desk import EMAIL, NOW, SECRET, T, body_of, event, signed

STRIPE = StripeDeliveries([SECRET], livemode=False)


def accept(body: bytes) -> SpooledEvent:
    return STRIPE.accept(signed(body), body, now=NOW)


def refusal(body: bytes) -> str:
    with pytest.raises(DeliveryRefused) as refused:
        accept(body)
    assert EMAIL not in str(refused.value)
    return refused.value.code


def test_a_snapshot_leaves_four_facts() -> None:
    found = accept(body_of(event()))
    assert found == SpooledEvent(
        "evt_1AbC", "charge.updated", "acct_1Ada", datetime.fromtimestamp(T - 10, UTC)
    )


def test_a_platform_event_has_no_account() -> None:
    content = event()
    del content["account"]
    assert accept(body_of(content)).account is None


def test_a_thin_notification_is_taken_as_well() -> None:
    thin = {
        "id": "evt_test_65",
        "object": "v2.core.event",
        "type": "v1.transfer.created",
        "created": "2026-11-22T11:59:50.000Z",
        "context": "acct_1Ada",
        "livemode": False,
        "related_object": {"id": "tr_1", "type": "transfer", "url": "/v1/transfers/tr_1"},
    }
    found = accept(body_of(thin))
    assert (found.event_type, found.account) == ("v1.transfer.created", "acct_1Ada")
    assert found.created == datetime(2026, 11, 22, 11, 59, 50, tzinfo=UTC)


def test_a_body_that_is_not_utf8_is_refused_and_not_a_crash() -> None:
    assert refusal(body_of(event()).replace(b"jane", b"\xff\xfe")) == "event_not_utf8"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"evt_1"',
        b"{",
        b"[" * 100_000,
        body_of({"object": "charge", "id": "ch_1"}),
        body_of(event(id=f"evt_{EMAIL}")),
        body_of(event(id=7)),
        body_of(event(type=f"charge.{EMAIL}")),
        body_of(event(type="charge")),
        body_of(event(account="Jane Doe")),
        body_of(event(account={"id": "acct_1"})),
        body_of(event(created="2026-11-22T11:59:50Z")),
        body_of(event(created=True)),
        body_of(event(created=1.5)),
        body_of(event(created=10**18)),
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    assert refusal(body) == "event_malformed"


def test_a_live_event_never_reaches_a_test_home_nor_the_reverse() -> None:
    assert refusal(body_of(event(livemode=True))) == "event_wrong_mode"
    live = StripeDeliveries([SECRET], livemode=True)
    body = body_of(event())
    with pytest.raises(DeliveryRefused, match="event_wrong_mode"):
        live.accept(signed(body), body, now=NOW)


def test_an_unsigned_body_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(_: object) -> None:
        raise AssertionError("parsed before verified")

    monkeypatch.setattr("ingest.stripe.webhooks.orjson.loads", parsed)
    with pytest.raises(DeliveryRefused, match="signature_digest_mismatch"):
        STRIPE.accept(f"t={T},v1={'0' * 64}", body_of(event()), now=NOW)


def test_what_is_told_of_a_refused_body_is_never_free_text() -> None:
    assert names_in(body_of(event())) == ("evt_1AbC", "charge.updated", "acct_1Ada")
    forged = event(id=EMAIL, type="Jane.Doe", account="acct_" + "x" * 500)
    assert names_in(json.dumps(forged).encode()) == (None, None, None)
    assert names_in(b"\xff") == (None, None, None)
