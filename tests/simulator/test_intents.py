"""Stripe's test cards over HTTP lead to what they say, and the ledger holds after each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from ingest.simulator.http import serve
from ingest.simulator.rail import Rail
from tests.simulator.rail_world import START, Clock, new_rail

KEY = "sk_test_rail"
INTENT: Any = {"amount": 2_000, "currency": "usd", "payment_method_types": ["card"]}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def world() -> Iterator[tuple[Rail, Clock, stripe.StripeClient]]:
    rail, clock = new_rail()
    with serve(rail, api_key=KEY) as server:
        client = stripe.StripeClient(KEY, base_addresses={"api": server.url}, max_network_retries=0)
        yield rail, clock, client
    assert rail.check_invariants() == []


def confirm(client: stripe.StripeClient, card: str, **over: Any) -> Any:
    asked = INTENT | {"confirm": True, "payment_method": card} | over
    return client.v1.payment_intents.create(asked)


def test_a_visa_is_charged_and_pending_and_the_bypass_card_is_spendable(
    world: tuple[Rail, Clock, stripe.StripeClient],
) -> None:
    rail, _, client = world
    before = rail.available_cents()
    intent = confirm(client, "pm_card_visa")
    charge = rail.retrieve("charge", intent.latest_charge)
    assert (intent.status, intent.amount_received) == ("succeeded", 2_000)
    assert (charge["payment_intent"], charge["amount"]) == (intent.id, 2_000)
    assert rail.available_cents() == before
    confirm(client, "pm_card_bypassPending")
    assert rail.available_cents() > before
    assert rail.objects("event")[0]["type"] == "balance.available"
    assert client.v1.payment_intents.retrieve(intent.id).latest_charge == charge["id"]


def test_a_declined_card_is_a_402_and_leaves_a_failed_charge(
    world: tuple[Rail, Clock, stripe.StripeClient],
) -> None:
    rail, _, client = world
    moved = len(rail.objects("balance_transaction"))
    with pytest.raises(stripe.CardError) as refused:
        confirm(client, "pm_card_visa_chargeDeclined")
    assert (refused.value.http_status, refused.value.code) == (402, "card_declined")
    assert rail.objects("charge")[0]["status"] == "failed"
    assert len(rail.objects("balance_transaction")) == moved


def test_a_disputed_card_opens_its_dispute_and_giving_up_closes_it(
    world: tuple[Rail, Clock, stripe.StripeClient],
) -> None:
    rail, _, client = world
    for card, status, ended in (
        ("pm_card_createDisputeInquiry", "warning_needs_response", "warning_closed"),
        ("pm_card_createDispute", "needs_response", "lost"),
    ):
        intent = confirm(client, card)
        (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
        assert dispute.status == status
        assert len(dispute.balance_transactions) == (status == "needs_response")
        changed = client.v1.disputes.update(dispute.id, {"metadata": {"case": "7"}})
        assert changed.metadata["case"] == "7"
        assert client.v1.disputes.close(dispute.id).status == ended
    types = {event["type"] for event in rail.objects("event")}
    assert {"charge.dispute.updated", "charge.dispute.closed"} <= types


def test_a_held_intent_moves_no_money_until_it_is_captured(
    world: tuple[Rail, Clock, stripe.StripeClient],
) -> None:
    rail, _, client = world
    moved = len(rail.objects("balance_transaction"))
    held = confirm(client, "pm_card_visa", capture_method="manual")
    assert (held.status, held.amount_capturable) == ("requires_capture", 2_000)
    assert len(rail.objects("balance_transaction")) == moved
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.capture(held.id, {"amount_to_capture": 2_001})
    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1_500})
    assert (taken.status, taken.amount_received) == ("succeeded", 1_500)
    assert len(rail.objects("balance_transaction")) == moved + 1
    for act in (client.v1.payment_intents.capture, client.v1.payment_intents.cancel):
        with pytest.raises(stripe.InvalidRequestError):
            act(held.id)
    other = confirm(client, "pm_card_visa", capture_method="manual")
    assert client.v1.payment_intents.cancel(other.id).status == "canceled"


def test_a_refund_by_intent_and_its_metadata(
    world: tuple[Rail, Clock, stripe.StripeClient],
) -> None:
    rail, _, client = world
    intent = confirm(client, "pm_card_visa")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert (refund.charge, refund.amount) == (intent.latest_charge, 2_000)
    client.v1.refunds.update(refund.id, {"metadata": {"order_id": "6735"}})
    held = rail.retrieve("refund", refund.id)
    assert (held["metadata"], held["amount"]) == ({"order_id": "6735"}, 2_000)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": "pi_none"})


def test_a_new_account_can_leave_only_while_it_never_held_money(
    world: tuple[Rail, Clock, stripe.StripeClient],
) -> None:
    rail, _, client = world
    rail.top_up(10_000, at=START)
    made = client.v1.accounts.create({"type": "standard"})
    other = client.v1.accounts.create({})
    client.v1.transfers.create({"amount": 100, "currency": "usd", "destination": made.id})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.accounts.delete(made.id)
    assert client.v1.accounts.delete(other.id).deleted is True
    with pytest.raises(stripe.PermissionError):
        client.v1.accounts.retrieve(other.id)
    assert other.id not in [account["id"] for account in rail.objects("account")]
    event = rail.objects("event")[0]
    assert (event["type"], event["account"]) == ("account.application.deauthorized", other.id)


@pytest.mark.parametrize(
    "asked",
    [
        {"confirm": True},
        {"payment_method": "pm_card_nobody"},
        {"amount": 0},
        {"currency": "dollars"},
        {"customer": "cus_1"},
    ],
)
def test_what_the_rail_has_not_is_refused(
    world: tuple[Rail, Clock, stripe.StripeClient], asked: Any
) -> None:
    rail, _, client = world
    charges = len(rail.objects("charge"))
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create(INTENT | asked)
    assert len(rail.objects("charge")) == charges


def test_intents_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first, _ = new_rail(journal_path=path)
    with serve(first, api_key=KEY) as server:
        client = stripe.StripeClient(KEY, base_addresses={"api": server.url}, max_network_retries=0)
        held = confirm(client, "pm_card_visa", capture_method="manual")
        with pytest.raises(stripe.CardError):
            confirm(client, "pm_card_chargeDeclined")
    again, _ = new_rail(journal_path=path)
    with serve(again, api_key=KEY) as server:
        client = stripe.StripeClient(KEY, base_addresses={"api": server.url}, max_network_retries=0)
        assert client.v1.payment_intents.capture(held.id).status == "succeeded"
    statuses = [charge["status"] for charge in again.objects("charge")]
    assert statuses == ["succeeded", "failed"]
    assert again.check_invariants() == []


@pytest.mark.slow
def test_stripes_own_cli_passes_where_it_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.conformance.__main__ import main

    cli = ROOT / "build" / "stripe-cli" / "node_modules" / ".bin" / "stripe"
    if not cli.exists():
        pytest.skip("`make conformance` installs the CLI first")
    assert main(cli) == 0, capsys.readouterr().out
