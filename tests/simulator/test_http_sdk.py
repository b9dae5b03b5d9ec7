"""Claim: the unmodified `stripe` SDK works against the simulated rail, refusals included."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from ingest.simulator.http import Server, serve
from ingest.simulator.rail import Rail
from tests.simulator.rail_world import START, Clock, day, new_rail

KEY = "sk_test_rail"
TRANSFER: Any = {"amount": 500, "currency": "usd", "destination": "acct_1Seller"}


@pytest.fixture
def world() -> Iterator[tuple[Rail, Clock, Server, stripe.StripeClient]]:
    rail, clock = new_rail()
    rail.top_up(100_000, at=START)
    with serve(rail, api_key=KEY) as server:
        client = stripe.StripeClient(KEY, base_addresses={"api": server.url}, max_network_retries=0)
        yield rail, clock, server, client


@pytest.fixture
def rail(world: tuple[Rail, Clock, Server, stripe.StripeClient]) -> Rail:
    return world[0]


@pytest.fixture
def clock(world: tuple[Rail, Clock, Server, stripe.StripeClient]) -> Clock:
    return world[1]


@pytest.fixture
def server(world: tuple[Rail, Clock, Server, stripe.StripeClient]) -> Server:
    return world[2]


@pytest.fixture
def client(world: tuple[Rail, Clock, Server, stripe.StripeClient]) -> stripe.StripeClient:
    return world[3]


def test_a_typed_transfer_carries_group_metadata_and_key(
    rail: Rail, server: Server, client: stripe.StripeClient
) -> None:
    made = client.v1.transfers.create(
        TRANSFER
        | {"transfer_group": "key-1", "metadata": {"nooterra_operation_id": "mop_1", "7": "x"}},
        {"idempotency_key": "abc"},
    )
    held = rail.retrieve("transfer", made.id)
    assert held["metadata"] == {"nooterra_operation_id": "mop_1", "7": "x"}
    assert (held["transfer_group"], held["amount"]) == ("key-1", 500)
    assert client.v1.transfers.retrieve(made.id).amount == 500
    assert [call.idempotency_key for call in server.calls if call.method == "POST"] == ["abc"]
    found = client.v1.transfers.list({"transfer_group": "key-1"})
    assert [transfer.id for transfer in found.data] == [made.id]


def test_raw_requests_read_balance_account_and_pages(
    rail: Rail, client: stripe.StripeClient
) -> None:
    assert client.raw_request("get", "/v1/account").data["id"] == rail.platform_id
    balance = client.raw_request("get", "/v1/balance").data
    assert balance["available"][0]["amount"] == 100_000
    page = client.raw_request("get", "/v1/balance_transactions", limit=100, expand=["data.source"])
    assert page.data["data"][0]["type"] == "topup"
    assert page.headers["Request-Id"].startswith("req_")


def test_auto_paging_reads_every_object_once_newest_first(
    rail: Rail, server: Server, client: stripe.StripeClient
) -> None:
    made = [rail.create_charge(100 + n, at=day(1 + n % 7))["id"] for n in range(250)]
    listed = [c.id for c in client.v1.charges.list({"limit": 100}).auto_paging_iter()]
    assert sorted(listed) == sorted(made)
    assert listed == [charge["id"] for charge in rail.objects("charge")]
    assert len([call for call in server.calls if call.path == "/v1/charges"]) == 3


def test_stripe_account_scopes_every_list(rail: Rail, client: stripe.StripeClient) -> None:
    made = client.v1.transfers.create(TRANSFER)
    seller: Any = {"stripe_account": "acct_1Seller"}
    (payment,) = client.v1.charges.list({}, seller).data
    assert payment.source_transfer == made.id
    assert client.v1.balance.retrieve({}, seller).available[0].amount == 500
    assert client.v1.charges.list().data == []
    assert client.v1.transfers.list({}, seller).data == []
    assert client.raw_request("get", "/v1/account", **seller).data["id"] == "acct_1Seller"
    with pytest.raises(stripe.PermissionError, match="does not have access"):
        client.v1.charges.list({}, {"stripe_account": "acct_1Other"})


def test_accounts_and_capabilities_are_listed_and_retrieved(client: stripe.StripeClient) -> None:
    ids = [account.id for account in client.v1.accounts.list().auto_paging_iter()]
    assert ids == ["acct_1Euro", "acct_1Seller"]
    assert client.v1.accounts.retrieve("acct_1Euro").default_currency == "eur"
    held = client.v1.accounts.capabilities.retrieve("acct_1Euro", "transfers")
    assert (held.status, held.account) == ("active", "acct_1Euro")
    with pytest.raises(stripe.PermissionError):
        client.v1.accounts.retrieve("acct_1Other")


def test_the_same_key_replays_and_other_parameters_are_refused(
    rail: Rail, client: stripe.StripeClient
) -> None:
    once: Any = {"idempotency_key": "once"}
    first = client.v1.transfers.create(TRANSFER, once)
    again = client.v1.transfers.create(TRANSFER, once)
    assert first.id == again.id
    assert first.last_response is not None
    assert again.last_response is not None
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        client.v1.transfers.create(TRANSFER | {"amount": 501}, once)
    assert len(rail.objects("transfer")) == 1


def test_a_key_is_forgotten_after_a_day_and_then_executes_again(
    rail: Rail, clock: Clock, client: stripe.StripeClient
) -> None:
    once: Any = {"idempotency_key": "once"}
    client.v1.transfers.create(TRANSFER, once)
    clock.at = day(40.99)
    client.v1.transfers.create(TRANSFER, once)
    assert len(rail.objects("transfer")) == 1
    clock.at = day(41)
    client.v1.transfers.create(TRANSFER, once)
    assert len(rail.objects("transfer")) == 2


def test_concurrent_requests_with_one_key_act_once(rail: Rail, client: stripe.StripeClient) -> None:
    once: Any = {"idempotency_key": "once"}
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: client.v1.transfers.create(TRANSFER, once).id, range(24)))
    assert len(set(made)) == 1
    assert len(rail.objects("transfer")) == 1


def test_refusals_have_stripes_types_and_codes(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.transfers.create(TRANSFER | {"amount": 100_001})
    assert (refused.value.code, refused.value.http_status) == ("balance_insufficient", 400)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.transfers.retrieve("tr_none")
    assert (refused.value.code, refused.value.http_status) == ("resource_missing", 404)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.transfers.create(TRANSFER | {"destination": "acct_none"})
    assert (refused.value.code, refused.value.param) == ("resource_missing", "destination")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.raw_request("post", "/v1/transfers", amount=1, currency="usd")
    assert refused.value.code == "parameter_missing"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.raw_request("post", "/v1/transfers", **TRANSFER, colour="red")
    assert refused.value.code == "parameter_unknown"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.raw_request("post", "/v1/transfers", **(TRANSFER | {"amount": "1.5"}))
    assert refused.value.code == "parameter_invalid_integer"


def test_an_executed_refusal_is_remembered_and_a_validation_is_not(
    rail: Rail, client: stripe.StripeClient
) -> None:
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError, match="insufficient"):
            client.v1.transfers.create(TRANSFER | {"amount": 100_001}, {"idempotency_key": "big"})
        rail.top_up(100_000, at=START)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.transfers.create(
            TRANSFER | {"destination": "acct_1New"}, {"idempotency_key": "new"}
        )
    rail.create_account("acct_1New", at=START)
    client.v1.transfers.create(TRANSFER | {"destination": "acct_1New"}, {"idempotency_key": "new"})


def test_reversals_refunds_payouts_topups_and_settings_work(
    rail: Rail, client: stripe.StripeClient
) -> None:
    made = client.v1.transfers.create(TRANSFER)
    reversal = client.v1.transfers.reversals.create(made.id, {"amount": 200})
    assert reversal.transfer == made.id
    assert client.v1.transfers.retrieve(made.id).amount_reversed == 200
    assert [r.id for r in client.v1.transfers.reversals.list(made.id).data] == [reversal.id]
    charge = rail.create_charge(1_000, at=day(1))
    assert client.v1.refunds.create({"charge": charge["id"]}).amount == 1_000
    payout = client.v1.payouts.create({"amount": 100, "currency": "usd"})
    assert client.v1.payouts.cancel(payout.id).status == "canceled"
    assert client.v1.topups.create({"amount": 9, "currency": "usd"}).status == "succeeded"
    settings = client.v1.balance_settings.update(
        {"payments": {"payouts": {"schedule": {"interval": "manual"}}}},
        {"stripe_account": "acct_1Seller"},
    )
    assert settings.payments.payouts is not None
    account = client.v1.accounts.retrieve("acct_1Seller")
    assert account.settings is not None
    assert account.settings.payouts is not None
    assert account.settings.payouts.schedule.interval == "manual"
    assert rail.check_invariants() == []


def test_a_payout_schedule_shows_the_days_of_its_interval_and_takes_no_others(
    client: stripe.StripeClient,
) -> None:
    def change(**schedule: Any) -> Any:
        given: Any = {"payments": {"payouts": {"schedule": schedule}}}
        seller: Any = {"stripe_account": "acct_1Seller"}
        return client.v1.balance_settings.update(given, seller).to_dict()["payments"]["payouts"]

    assert change(interval="weekly", weekly_payout_days=["monday"])["schedule"] == {
        "interval": "weekly",
        "weekly_payout_days": ["monday"],
    }
    assert change(interval="monthly", monthly_payout_days=[1, 31])["schedule"] == {
        "interval": "monthly",
        "monthly_payout_days": [1, 31],
    }
    assert change(interval="manual")["schedule"] == {"interval": "manual"}
    for refused in (
        {"interval": "hourly"},
        {"interval": "weekly"},
        {"interval": "daily", "weekly_payout_days": ["monday"]},
        {"interval": "monthly", "monthly_payout_days": [32]},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            change(**refused)
    assert change()["schedule"] == {"interval": "manual"}


def test_a_charged_back_charge_is_not_refundable(rail: Rail, client: stripe.StripeClient) -> None:
    charge = rail.create_charge(1_000, at=day(1))
    rail.open_dispute(charge["id"], at=day(5))
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"charge": charge["id"]})
    assert refused.value.code == "charge_disputed"
    assert client.v1.disputes.list({"charge": charge["id"]}).data[0].status == "needs_response"


def test_members_of_an_automatic_payout_sum_to_zero_over_the_wire(
    rail: Rail, client: stripe.StripeClient
) -> None:
    rail.create_charge(1_000, at=day(1))
    payout = rail.create_payout(None, at=day(9), automatic=True)
    rail.create_charge(1_000, at=day(1))
    listed = client.v1.balance_transactions.list({"payout": payout["id"]})
    assert sum(t.net for t in listed.data) == 0
    assert listed.data[0].source == payout["id"]
    manual = rail.create_payout(50, at=day(10))
    with pytest.raises(stripe.InvalidRequestError, match="automatic"):
        client.v1.balance_transactions.list({"payout": manual["id"]})


def test_a_wrong_key_is_401_and_a_restricted_key_names_what_it_lacks(rail: Rail) -> None:
    keys = {"rk_test_read": {"rak_transfer_read", "rak_payout_write"}}
    with serve(rail, api_key=KEY, restricted_keys=keys) as server:
        base: Any = {"api": server.url}
        for wrong in ("sk_test_other", "sk_live_rail"):
            with pytest.raises(stripe.AuthenticationError) as refused:
                stripe.StripeClient(wrong, base_addresses=base).v1.transfers.list()
            assert wrong not in str(refused.value)
        limited = stripe.StripeClient("rk_test_read", base_addresses=base)
        limited.v1.transfers.list()
        limited.v1.payouts.list()
        with pytest.raises(stripe.PermissionError, match="rak_charge_read"):
            limited.v1.charges.list()
        with pytest.raises(stripe.PermissionError, match="rak_transfer_write"):
            limited.v1.transfers.create(TRANSFER)
        with pytest.raises(stripe.PermissionError, match="rak_account_read"):
            limited.raw_request("get", "/v1/account")


def test_events_are_listed_by_type_and_carry_their_object(
    rail: Rail, client: stripe.StripeClient
) -> None:
    made = client.v1.transfers.create(TRANSFER)
    client.v1.transfers.reversals.create(made.id)
    (event,) = client.v1.events.list({"type": "transfer.created"}).data
    assert event.data.object["id"] == made.id
    kinds = [e.type for e in client.v1.events.list({"type": "transfer.*"}).data]
    assert kinds == ["transfer.reversed", "transfer.created"]


def test_close_frees_the_port_and_hangs_up(rail: Rail) -> None:
    server = serve(rail)
    client = stripe.StripeClient(KEY, base_addresses={"api": server.url}, max_network_retries=0)
    client.v1.balance.retrieve()
    port = server.port
    server.close()
    with pytest.raises(stripe.APIConnectionError):
        client.v1.balance.retrieve()
    again = serve(rail, port=port)
    assert again.port == port
    again.close()


def test_it_listens_on_loopback_only_and_refuses_other_host_names(server: Server) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"GET /v1/balance HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 421 ")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(
            b"POST /v1/transfers HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000000\r\n\r\n"
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")
