"""The Stripe rail asks once, binds what it asks for, and believes only what it can read."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from ingest.errors import SettingError, TieoutError
from ingest.payouts.rail import RailRejected, RailUnclear
from ingest.payouts.stripe_rail import StripeRail
from tests.payouts.desk import START, Desk, intent_of, payout
from tests.payouts.loopback_stripe import Loopback, loopback, page, transfer_body

SECRET = "sk_test_51Nooooooooobody"
GROUP = payout().payout_key


@pytest.fixture
def stripe_api() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def rail(stripe_api: Loopback) -> StripeRail:
    return StripeRail(
        SECRET, platform_account_id="acct_platform", livemode=False, api_base=stripe_api.url
    )


TWO = (transfer_body(id="tr_2"), transfer_body(id="tr_1"))


def stripe_error(kind: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"type": kind, "code": code, "message": f"with key {SECRET}"}}


def test_a_transfer_is_asked_for_with_its_whole_binding(
    stripe_api: Loopback, rail: StripeRail
) -> None:
    stripe_api.script.append((200, transfer_body()))
    decided = payout()
    transfer = rail.create_transfer(intent_of(decided), "tieout_key")
    assert (transfer.transfer_id, transfer.amount_cents, transfer.currency) == ("tr_1", 1000, "usd")
    assert transfer.created_at == START
    sent = stripe_api.requests[0]
    assert (sent.method, sent.path) == ("POST", "/v1/transfers")
    assert sent.headers["Idempotency-Key"] == "tieout_key"
    assert sent.headers["Stripe-Version"] == "2026-10-28.endive"
    assert sent.headers["Connection"] == "close"
    assert sent.fields == {
        "amount": "1000",
        "currency": "usd",
        "destination": "acct_pa",
        "transfer_group": decided.payout_key,
        "description": f"Payout {decided.operation_id}",
        "metadata[nooterra_tenant_id]": "t1",
        "metadata[nooterra_operation_id]": decided.operation_id,
        "metadata[nooterra_provider_id]": "stripe_prod_us",
        "metadata[nooterra_payout_key]": decided.payout_key,
    }


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (
            400,
            stripe_error("invalid_request_error", "balance_insufficient"),
            "balance_insufficient",
        ),
        (400, stripe_error("invalid_request_error"), "invalid_request_error"),
        (401, stripe_error("invalid_request_error"), "invalid_request_error"),
        (402, stripe_error("card_error", "card_declined"), "card_declined"),
        (403, stripe_error("invalid_request_error"), "invalid_request_error"),
        (404, stripe_error("invalid_request_error", "resource_missing"), "resource_missing"),
    ],
)
def test_a_readable_refusal_is_a_rejection(
    stripe_api: Loopback, rail: StripeRail, status: int, body: Any, code: str
) -> None:
    stripe_api.script.append((status, body))
    with pytest.raises(RailRejected) as caught:
        rail.create_transfer(intent_of(payout()), "tieout_key")
    assert (caught.value.status, caught.value.rail_code) == (status, code)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((500, stripe_error("api_error")), "status_500"),
        ((503, b"<html>"), "status_503"),
        ((409, stripe_error("idempotency_error", "idempotency_key_in_use")), "status_409"),
        ((400, stripe_error("idempotency_error")), "idempotency_conflict"),
        ((429, stripe_error("invalid_request_error", "lock_timeout")), "rate_limited"),
        ((400, stripe_error("invalid_request_error", "rate_limit")), "rate_limited"),
        ((403, b"<html>a proxy</html>"), None),
        ((404, {"message": "a proxy"}), None),
        ((400, {"error": "a proxy"}), None),
        ((400, {"error": {"code": "Weird code!"}}), None),
        ((302, b""), None),
        ((200, b"not json"), None),
        ((200, b""), None),
        ((200, {"object": "transfer"}), None),
        ((200, transfer_body(amount="1000")), None),
        ((200, transfer_body(amount=10.5)), None),
        ((200, transfer_body(id="po_1")), None),
        ((200, transfer_body(livemode=None)), None),
        ("cut", "connection"),
    ],
)
def test_every_other_answer_is_unclear(
    stripe_api: Loopback, rail: StripeRail, answer: Any, kind: str | None
) -> None:
    stripe_api.script.append(answer)
    with pytest.raises(RailUnclear) as caught:
        rail.create_transfer(intent_of(payout()), "tieout_key")
    assert kind is None or caught.value.kind == kind
    assert len(stripe_api.requests) == 1


def test_a_redirect_is_not_followed(stripe_api: Loopback, rail: StripeRail) -> None:
    stripe_api.headers["Location"] = f"{stripe_api.url}/v1/elsewhere"
    for status in (301, 302, 307, 308):
        stripe_api.script.append((status, b""))
        with pytest.raises(RailUnclear):
            rail.create_transfer(intent_of(payout()), "tieout_key")
    assert {request.path for request in stripe_api.requests} == {"/v1/transfers"}


def test_a_body_that_ends_early_is_unclear(stripe_api: Loopback, rail: StripeRail) -> None:
    stripe_api.headers["X-Cut-Body"] = "yes"
    stripe_api.script.append((200, transfer_body()))
    with pytest.raises(RailUnclear):
        rail.create_transfer(intent_of(payout()), "tieout_key")


def test_an_endless_answer_is_not_read(stripe_api: Loopback, rail: StripeRail) -> None:
    stripe_api.script.append((200, transfer_body(description="x" * (5 * 1024 * 1024))))
    with pytest.raises(RailUnclear):
        rail.create_transfer(intent_of(payout()), "tieout_key")


def test_an_answer_without_the_rails_clock_is_unclear(
    stripe_api: Loopback, rail: StripeRail
) -> None:
    stripe_api.send_date = False
    stripe_api.script.append((200, page()))
    with pytest.raises(RailUnclear):
        rail.find_transfers(GROUP)


def test_nobody_home_is_unclear() -> None:
    rail = StripeRail(
        SECRET, platform_account_id="acct_p", livemode=False, api_base="http://127.0.0.1:9"
    )
    with pytest.raises(RailUnclear):
        rail.create_transfer(intent_of(payout()), "tieout_key")


def test_a_listing_is_read_to_its_end(stripe_api: Loopback, rail: StripeRail) -> None:
    stripe_api.script.append((200, page(transfer_body(id="tr_2"), has_more=True)))
    stripe_api.script.append((200, page(transfer_body(id="tr_1"))))
    listing = rail.find_transfers(GROUP)
    assert [row.transfer_id for row in listing.transfers] == ["tr_2", "tr_1"]
    assert listing.rail_now == START
    first, second = stripe_api.requests
    assert first.fields == {"transfer_group": GROUP, "limit": "100"}
    assert second.fields["starting_after"] == "tr_2"


@pytest.mark.parametrize(
    "script",
    [
        [(200, page(has_more=True))],
        [(200, page(transfer_body(), has_more=True))] * 2,
        [(200, page(transfer_body(), has_more=True)), (500, stripe_error("api_error"))],
        [(200, page(transfer_body(), has_more=True)), "cut"],
        [(200, page(transfer_body(), transfer_body()))],
        [(200, page(*TWO, has_more=True)), (200, page(TWO[0]))],
        [(200, page(TWO[0], has_more=True)), (200, page(TWO[1], has_more=True))] * 50,
        [(200, page(transfer_body(transfer_group="another")))],
        [(200, page(transfer_body(transfer_group=None)))],
        [(200, {"object": "list", "data": [], "url": "/"})],
        [(200, {"object": "list", "data": [{"object": "transfer"}], "has_more": False})],
        [(200, {"data": None, "has_more": False})],
        [(200, [])],
    ],
)
def test_a_listing_that_is_not_whole_raises(
    stripe_api: Loopback, rail: StripeRail, script: list[Any]
) -> None:
    stripe_api.script.extend(script)
    with pytest.raises(RailUnclear):
        rail.find_transfers(GROUP)


def test_the_rail_tells_whose_key_it_is(stripe_api: Loopback, rail: StripeRail) -> None:
    balance = {"object": "balance", "livemode": False, "available": [], "pending": []}
    stripe_api.script.extend([(200, balance), (200, {"object": "account", "id": "acct_x"})])
    identity = rail.identity()
    assert (identity.platform_account_id, identity.confirmed) == ("acct_x", True)
    denied = (403, stripe_error("invalid_request_error"))
    stripe_api.script.extend([(200, {**balance, "livemode": True}), denied])
    identity = rail.identity()
    assert (identity.platform_account_id, identity.confirmed) == ("acct_platform", False)
    assert identity.livemode is True
    stripe_api.script.extend([denied])
    with pytest.raises(RailRejected):
        rail.identity()


def test_a_recheck_can_read_balance_and_capability(stripe_api: Loopback, rail: StripeRail) -> None:
    funds = [
        {"amount": 700, "currency": "usd", "source_types": {}},
        {"amount": 5, "currency": "eur", "source_types": {}},
    ]
    balance = {"object": "balance", "livemode": False, "available": funds, "pending": []}
    stripe_api.script.extend([(200, balance), (200, balance)])
    assert rail.available_cents("USD") == 700
    assert rail.available_cents("GBP") == 0
    account = {
        "object": "account",
        "id": "acct_pa",
        "payouts_enabled": True,
        "capabilities": {"transfers": "active"},
        "requirements": {"disabled_reason": None},
    }
    stripe_api.script.append((200, account))
    assert rail.account_state("acct_pa").transfers_active
    stripe_api.script.append((200, {**account, "capabilities": {}, "requirements": None}))
    assert not rail.account_state("acct_pa").transfers_active
    stripe_api.script.append((200, account))
    with pytest.raises(RailUnclear):
        rail.account_state("acct_pb")


def _movement(id_: str, category: str) -> dict[str, Any]:
    return {"object": "balance_transaction", "id": id_, "reporting_category": category}


def test_new_disputes_and_what_older_ones_took_are_both_read_to_the_end(
    stripe_api: Loopback, rail: StripeRail
) -> None:
    dispute = {"object": "dispute", "id": "dp_1"}
    taken = (_movement("txn_1", "other_adjustment"), _movement("txn_2", "dispute"))
    stripe_api.script.append((200, page(dispute, has_more=True)))
    stripe_api.script.append((200, page({**dispute, "id": "dp_2"})))
    stripe_api.script.append((200, page(*taken)))
    assert rail.disputes_since(START) == ("dp_1", "dp_2", "txn_2")
    asked = [request.fields for request in stripe_api.requests]
    assert {fields["created[gte]"] for fields in asked} == {str(int(START.timestamp()))}
    assert asked[-1]["type"] == "adjustment"


def test_transfers_to_an_account_are_read_with_all_their_names(
    stripe_api: Loopback, rail: StripeRail
) -> None:
    named = transfer_body(transfer_group=None, metadata={"nooterra_payout_key": "other"})
    stripe_api.script.append((200, page(named)))
    (transfer,) = rail.transfers_since("acct_pa", START)
    assert (transfer.transfer_group, transfer.meta_payout_key) == (None, "other")
    assert stripe_api.requests[-1].fields["destination"] == "acct_pa"


@pytest.mark.parametrize(
    ("key", "livemode"),
    [
        ("sk_live_x", False),
        ("rk_live_x", False),
        ("sk_test_x", True),
        ("pk_test_x", False),
        ("sk_test_", False),
        ("sk_test_x\nX-Evil: 1", False),
        ("", False),
    ],
)
def test_a_key_of_the_wrong_kind_is_refused_without_being_shown(key: str, livemode: bool) -> None:
    with pytest.raises(SettingError) as caught:
        StripeRail(key, platform_account_id="acct_p", livemode=livemode)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        (401, stripe_error("invalid_request_error", "api_key_expired")),
        (400, stripe_error("invalid_request_error", SECRET)),
        (500, stripe_error("api_error")),
        (200, SECRET.encode()),
        "cut",
    ],
)
def test_the_key_is_in_no_error_traceback_or_repr(
    stripe_api: Loopback, rail: StripeRail, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    stripe_api.script.append(answer)
    with pytest.raises(TieoutError) as caught:
        rail.create_transfer(intent_of(payout()), "tieout_key")
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    shown = "".join(traceback.format_exception(error)) + repr(rail) + str(vars(error)) + repr(error)
    assert SECRET not in shown


def test_a_whole_pass_over_http_survives_a_cut_after_acting(
    stripe_api: Loopback, desk: Desk
) -> None:
    balance = {"object": "balance", "livemode": False, "available": [], "pending": []}
    hello = [(200, balance), (200, {"object": "account", "id": "acct_platform"})]
    desk.rail = StripeRail(  # type: ignore[assignment]
        SECRET, platform_account_id="acct_platform", livemode=False, api_base=stripe_api.url
    )
    stripe_api.script.extend([*hello, (200, page()), "cut"])
    assert desk.pay(payout())[0].state == "unknown"
    stripe_api.script.extend([*hello, (200, page(transfer_body()))])
    result = desk.pay(payout())[0]
    assert (result.state, result.transfer_id) == ("submitted", "tr_1")
    for file in desk.home.rglob("*"):
        assert file.is_dir() or SECRET not in file.read_text()


def test_a_listing_that_repeats_itself_is_given_up(stripe_api: Loopback, rail: StripeRail) -> None:
    stripe_api.script.extend([(200, page(transfer_body(), has_more=True))] * 200)
    with pytest.raises(RailUnclear, match="listing_repeats"):
        rail.find_transfers(GROUP)
    assert len(stripe_api.requests) == 2
