"""Attacks on a client: every fault on the menu, as the SDK sees it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import stripe

from ingest.simulator.faults import KINDS, Fault, Faults
from ingest.simulator.http import Server, serve
from ingest.simulator.rail import Rail, RailError
from tests.simulator.rail_world import START, day, new_rail

KEY = "sk_test_faults"
TRANSFER: Any = {"amount": 500, "currency": "usd", "destination": "acct_1Seller"}
ONCE: Any = {"idempotency_key": "once"}


@pytest.fixture
def rail() -> Rail:
    rail, _ = new_rail()
    rail.top_up(100_000, at=START)
    return rail


@pytest.fixture
def server(rail: Rail) -> Iterator[Server]:
    with serve(rail, api_key=KEY) as server:
        yield server


@pytest.fixture
def client(server: Server) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": server.url}, max_network_retries=0)


def control(server: Server, method: str, path: str, body: object = None, key: str = KEY) -> object:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = Request(server.url + path, data=data, method=method, headers=headers)
    with urlopen(request, timeout=5) as answer:
        return json.loads(answer.read(1 << 20))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unauthorized", stripe.AuthenticationError),
        ("forbidden", stripe.PermissionError),
        ("not_found", stripe.InvalidRequestError),
        ("rate_limited", stripe.RateLimitError),
        ("lock_timeout", stripe.RateLimitError),
        ("server_error", stripe.APIError),
        ("cut_before_acting", stripe.APIConnectionError),
    ],
)
def test_faults_before_acting_leave_no_trace(
    kind: str, error: type[Exception], rail: Rail, server: Server, client: stripe.StripeClient
) -> None:
    server.faults.add(kind, path="/v1/transfers", times=2)
    for _ in range(2):
        with pytest.raises(error):
            client.v1.transfers.create(TRANSFER, ONCE)
    assert rail.objects("transfer") == []
    client.v1.transfers.create(TRANSFER, ONCE)
    assert len(rail.objects("transfer")) == 1


@pytest.mark.parametrize("kind", ["cut_after_acting", "torn_body"])
def test_a_lost_answer_is_replayed_under_the_same_key(
    kind: str, rail: Rail, server: Server, client: stripe.StripeClient
) -> None:
    server.faults.add(kind, path="/v1/transfers", method="POST")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.transfers.create(TRANSFER, ONCE)
    (acted,) = rail.objects("transfer")
    again = client.v1.transfers.create(TRANSFER, ONCE)
    assert again.id == acted["id"]
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"


def test_a_500_after_acting_is_what_the_key_remembers(
    rail: Rail, server: Server, client: stripe.StripeClient
) -> None:
    server.faults.add("error_after_acting", path="/v1/transfers")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            client.v1.transfers.create(TRANSFER | {"transfer_group": "key-1"}, ONCE)
        assert failed.value.http_status == 500
    (acted,) = rail.objects("transfer")
    found = client.v1.transfers.list({"transfer_group": "key-1"}).data
    assert [transfer.id for transfer in found] == [acted["id"]]


def test_rate_limits_say_how_long_and_why(server: Server, client: stripe.StripeClient) -> None:
    server.faults.add("rate_limited", retry_after_seconds=7, reason="global-rate")
    with pytest.raises(stripe.RateLimitError) as limited:
        client.v1.balance.retrieve()
    assert limited.value.headers is not None
    assert limited.value.headers["Retry-After"] == "7"
    assert limited.value.headers["Stripe-Rate-Limited-Reason"] == "global-rate"


def test_an_empty_page_that_claims_more_breaks_the_sdks_paging(
    server: Server, client: stripe.StripeClient
) -> None:
    server.faults.add("empty_page", path="/v1/charges")
    page = client.raw_request("get", "/v1/charges").data
    assert (page["data"], page["has_more"]) == ([], True)
    assert client.raw_request("get", "/v1/charges").data["has_more"] is False


def test_late_objects_are_missing_from_lists_but_not_from_retrieval(
    rail: Rail, server: Server, client: stripe.StripeClient
) -> None:
    old, young = rail.create_charge(1, at=day(1)), rail.create_charge(1, at=day(39.999))
    server.faults.add("late_visible", path="/v1/charges", seconds=300)
    assert [charge.id for charge in client.v1.charges.list().data] == [old["id"]]
    server.faults.clear()
    server.faults.add("late_visible", path="/v1/charges", ids=(old["id"],), times=1)
    assert [charge.id for charge in client.v1.charges.list().data] == [young["id"]]
    assert len(client.v1.charges.list().data) == 2
    assert client.v1.charges.retrieve(old["id"]).id == old["id"]


def test_slow_answers_still_arrive(server: Server, client: stripe.StripeClient) -> None:
    server.faults.add("slow", ms=120, times=1)
    begun = time.monotonic()
    client.v1.balance.retrieve()
    assert time.monotonic() - begun >= 0.12


def test_a_fault_can_strike_one_account_one_endpoint_and_only_later(
    server: Server, client: stripe.StripeClient
) -> None:
    server.faults.add("forbidden", path="/v1/payouts*", account="acct_1Seller", after=1)
    seller: Any = {"stripe_account": "acct_1Seller"}
    client.v1.payouts.list({}, seller)
    client.v1.payouts.list()
    client.v1.charges.list({}, seller)
    with pytest.raises(stripe.PermissionError, match="rak_payout_read"):
        client.v1.payouts.list({}, seller)


def test_faults_are_set_and_shown_over_http_with_the_key_only(
    rail: Rail, server: Server, client: stripe.StripeClient
) -> None:
    rules = {"rules": [{"kind": "server_error", "path": "/v1/balance", "times": 1}]}
    with pytest.raises(HTTPError, match="401"):
        control(server, "POST", "/_sim/faults", rules, key="sk_test_other")
    control(server, "POST", "/_sim/faults", rules)
    shown = control(server, "GET", "/_sim/faults")
    assert isinstance(shown, dict)
    assert shown["rules"][0]["kind"] == "server_error"
    with pytest.raises(stripe.APIError):
        client.v1.balance.retrieve()
    client.v1.balance.retrieve()
    assert control(server, "GET", "/_sim/invariants") == {"violations": []}
    with pytest.raises(HTTPError, match="400"):
        control(server, "POST", "/_sim/faults", {"rules": [{"kind": "gremlins"}]})


def test_unknown_faults_and_unbounded_rules_are_refused() -> None:
    with pytest.raises(RailError, match="expected one of"):
        Fault("gremlins")
    with pytest.raises(RailError, match="ms"):
        Fault("slow", ms=10**9)
    full = Faults(Fault(kind) for kind in [*KINDS, *["slow"] * 87])
    with pytest.raises(RailError, match="more than"):
        full.add("slow")
