"""Providers deliver in the kernel's way: its words, mapping and bindings; no event is lost."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.deliveries.spool import DeliverySpool
from ingest.errors import SettingError
from ingest.kernel.deliveries import Provider, ProviderDeliveries, load_providers
from ingest.kernel.operation_steps import Delivered, Judge, next_state
from ingest.kernel.provider_events import EventRefused, Operation, facts_of
from tests.deliveries.desk import EMAIL, NOW, T

SECRET = "whsec_x"
KEY = "tenant_default:party:p1:period:2026-01:statement:abc"
OPERATION = Operation(
    "tenant_default",
    "stripe_prod",
    f"mop_{KEY}",
    "initiated",
    KEY,
    "tr_1",
    2_100,
    "USD",
    "acct_1",
    "a" * 64,
)
BOUND = {
    "nooterra_payout_key": KEY,
    "nooterra_tenant_id": "tenant_default",
    "nooterra_provider_id": "stripe_prod",
}


def stripe_event(event_type: str, event_id: str = "evt_1", **over: Any) -> dict[str, Any]:
    transfer = {
        "id": "tr_1",
        "object": "transfer",
        "amount": 2_100,
        "amount_reversed": 0,
        "currency": "usd",
        "destination": "acct_1",
        "metadata": BOUND,
        "description": EMAIL,
    }
    return {
        "id": event_id,
        "object": "event",
        "type": event_type,
        "created": T,
        "data": {"object": transfer | over},
    }


def facts(body: dict[str, Any], provider_id: str = "stripe_prod", **words: str) -> dict[str, Any]:
    return facts_of(provider_id, words, body, received_at=NOW)


def rows_of(*bodies: dict[str, Any], **over: Any) -> list[dict[str, Any]]:
    settings: dict[str, Any] = {
        "operations": [OPERATION],
        "instructions": {("tenant_default", KEY): "a" * 64},
        "production": frozenset({("tenant_default", "stripe_prod")}),
    } | over
    deliveries = [
        Delivered("tenant_default", "stripe_prod", facts(body), NOW + timedelta(seconds=n))
        for n, body in enumerate(bodies)
    ]
    return list(Judge(**settings).rows(deliveries))


def judged(*bodies: dict[str, Any], operation: Operation = OPERATION, **over: Any) -> list[Any]:
    rows = rows_of(*bodies, **({"operations": [operation]} | over))
    return [(row["event_type"], row["status"], row["code"] or row["state_after"]) for row in rows]


def plain(event_type: str, number: int = 0) -> dict[str, Any]:
    return {
        "operationId": OPERATION.operation_id,
        "eventType": event_type,
        "eventId": f"e_{event_type}_{number}",
    }


# --- the signature and the receiver ---------------------------------------------------------------


@pytest.fixture
def spool(home: Path) -> Iterator[DeliverySpool]:
    with DeliverySpool(home) as made:
        yield made


def deliver(spool: DeliverySpool, body: bytes, t: int = T, **environ: str) -> tuple[int, Any]:
    digest = hmac.new(SECRET.encode(), f"{t}.".encode() + body, "sha256").hexdigest()
    given = {
        "HTTP_X_PROXY_PROVIDER_SIGNATURE": f"t={t},v1={digest}",
        "HTTP_X_PROXY_TENANT_ID": "tenant_default",
    } | environ
    route = ProviderDeliveries({"stripe_prod": Provider("stripe_prod", (SECRET,), {})})
    return route.receive("stripe_prod", given, body, spool, NOW)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "x-proxy-provider-signature header is required"),
        ("t=x,v1=0", "provider signature timestamp is invalid"),
        ("v1=0", "provider signature missing timestamp"),
        (f"t={T}", "provider signature missing v1 digest"),
        (f"t={T},v1=0", "provider signature digest mismatch"),
    ],
)
def test_a_bad_signature_is_told_in_the_kernels_words(
    spool: DeliverySpool, header: str, message: str
) -> None:
    status, said = deliver(spool, b"{}", HTTP_X_PROXY_PROVIDER_SIGNATURE=header)
    assert (status, said["error"], said["code"]) == (
        400,
        "invalid provider signature",
        "SCHEMA_INVALID",
    )
    assert said["details"]["message"] == message
    assert said["details"]["reason"].startswith("signature_")
    assert list(spool.provider_events()) == []


def test_an_old_signature_and_a_provider_without_secret(spool: DeliverySpool) -> None:
    body = json.dumps(plain("submitted")).encode()
    assert deliver(spool, body, t=T - 300)[0] == 200
    _, said = deliver(spool, body, t=T - 301)
    assert said["details"]["message"] == "provider signature timestamp outside tolerance window"
    route = ProviderDeliveries({"p": Provider("p", (), {})})
    _, said = route.receive("p", {}, body, spool, NOW)
    assert said["details"]["message"] == "provider webhook secret is required"
    assert route.receive("q", {}, body, spool, NOW)[0] == 404


def test_a_delivery_is_kept_once_and_nothing_personal_of_it(
    home: Path, spool: DeliverySpool
) -> None:
    body = json.dumps(
        stripe_event("transfer.created") | {"reasonCode": f"asked by {EMAIL}"}
    ).encode()
    assert deliver(spool, body) == (
        200,
        {"received": True, "duplicate": False, "eventTypes": ["submitted"]},
    )
    assert deliver(spool, body)[1]["duplicate"] is True
    assert len(list(spool.provider_events())) == 1
    spool.close()
    for path in home.rglob("*"):
        assert path.is_dir() or EMAIL.encode() not in path.read_bytes(), path


def test_a_delivery_without_tenant_is_refused(spool: DeliverySpool) -> None:
    body = json.dumps(plain("submitted")).encode()
    for tenant in ("", "_platform", "a/b"):
        assert deliver(spool, body, HTTP_X_PROXY_TENANT_ID=tenant)[0] == 400


# --- what an event says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "eventType or providerStatus is required"),
        ({"providerStatus": "odd"}, "unmapped providerStatus: odd"),
        (
            {"eventType": "failed", "providerStatus": "paid_out"},
            "eventType does not match providerStatus mapping",
        ),
        (stripe_event("charge.dispute.created"), "eventType or providerStatus is required"),
        (stripe_event("payout.created"), "eventType or providerStatus is required"),
        (stripe_event("balance.available"), "eventType or providerStatus is required"),
    ],
)
def test_what_maps_to_no_event_is_refused_in_the_kernels_words(
    body: dict[str, Any], message: str
) -> None:
    with pytest.raises(EventRefused) as refused:
        facts(body, paid_out="confirmed")
    assert refused.value.message == message


def test_a_providers_own_word_is_mapped_in_any_case() -> None:
    found = facts({"operationId": "op", "providerStatus": "Paid_Out"}, paid_out="confirmed")
    assert found["event_types"] == ["confirmed"]
    assert facts({"operationId": "op", "providerStatus": "confirmed"})["event_types"] == [
        "confirmed"
    ]


@pytest.mark.parametrize(
    ("event", "types"),
    [
        (stripe_event("transfer.created"), ["submitted"]),
        (stripe_event("transfer.created", destination_payment="py_1"), ["submitted", "confirmed"]),
        (stripe_event("transfer.paid"), ["confirmed"]),
        (stripe_event("payout.cancelled"), ["cancelled"]),
        (stripe_event("transfer.reversed", amount_reversed=2_100), ["reversed"]),
        (stripe_event("transfer.updated", reversed=True, amount_reversed=2_100), ["reversed"]),
        (stripe_event("transfer.updated", status="failed"), ["failed"]),
        (stripe_event("transfer.updated"), ["submitted"]),
        ({"payload": stripe_event("transfer.paid")}, ["confirmed"]),
    ],
)
def test_stripes_events_map_to_steps(event: dict[str, Any], types: list[str]) -> None:
    found = facts(event)
    assert found["event_types"] == types
    assert found["at"] == "2026-11-22T12:00:00.000Z"


def test_only_providers_named_stripe_may_send_stripes_events() -> None:
    with pytest.raises(EventRefused):
        facts(stripe_event("transfer.paid"), provider_id="bank_prod")


# --- bindings -------------------------------------------------------------------------------------


def test_an_unbound_event_moves_nothing_in_production() -> None:
    event = stripe_event("transfer.created", metadata={"nooterra_operation_id": f"mop_{KEY}"})
    required = "MONEY_RAIL_PROVIDER_EVENT_BINDING_REQUIRED"
    assert judged(event) == [("submitted", "refused", required)]
    assert judged(event, production=frozenset()) == [("submitted", "applied", "submitted")]
    (row,) = rows_of(event)
    assert row["detail"].split(",") == [
        "metadata.nooterra_payout_key",
        "metadata.nooterra_tenant_id",
        "metadata.nooterra_provider_id",
    ]


@pytest.mark.parametrize("name", BOUND)
def test_each_name_of_the_binding_is_required_in_production(name: str) -> None:
    partial = {key: value for key, value in BOUND.items() if key != name}
    event = stripe_event(
        "transfer.created", metadata=partial | {"nooterra_operation_id": f"mop_{KEY}"}
    )
    (row,) = rows_of(event)
    assert row["code"] == "MONEY_RAIL_PROVIDER_EVENT_BINDING_REQUIRED"
    assert row["detail"] == f"metadata.{name}"
    assert (row["status"], row["state_after"]) == ("refused", None)


@pytest.mark.parametrize(
    "over",
    [
        {"destination": "acct_2"},
        {"amount": 2_101},
        {"currency": "eur"},
        {"metadata": BOUND | {"nooterra_tenant_id": "tenant_other"}},
        {"metadata": BOUND | {"nooterra_provider_id": "stripe_other"}},
        {"metadata": BOUND | {"nooterra_operation_id": f"mop_{KEY}", "nooterra_payout_key": "k"}},
    ],
)
def test_an_event_bound_elsewhere_moves_nothing(over: dict[str, Any]) -> None:
    found = judged(stripe_event("transfer.created", **over))
    assert found == [("submitted", "refused", "MONEY_RAIL_PROVIDER_EVENT_BINDING_MISMATCH")]


@pytest.mark.parametrize(
    ("artifact_hash", "instructions", "fault"),
    [
        ("a" * 64, {("tenant_default", KEY): "b" * 64}, "artifact_hash_mismatch"),
        ("a" * 64, {}, "artifact_missing"),
        ("a" * 64, {("tenant_other", KEY): "a" * 64}, "artifact_missing"),
        (None, {("tenant_default", KEY): "a" * 64}, "artifact_hash_missing"),
        (None, {}, "artifact_hash_missing"),
    ],
)
def test_an_operation_that_is_not_bound_to_its_instruction_is_not_moved(
    artifact_hash: str | None, instructions: dict[tuple[str, str], str], fault: str
) -> None:
    operation = replace(OPERATION, artifact_hash=artifact_hash)
    for production in (frozenset(), frozenset({("tenant_default", "stripe_prod")})):
        (row,) = rows_of(
            stripe_event("transfer.created"),
            operations=[operation],
            instructions=instructions,
            production=production,
        )
        assert (row["status"], row["code"]) == ("refused", "MONEY_RAIL_PAYOUT_BINDING_MISMATCH")
        assert row["detail"] == fault


def test_a_collection_has_no_instruction_to_be_bound_to() -> None:
    collection = replace(OPERATION, is_payout=False, artifact_hash=None, payout_key=None)
    assert judged(plain("submitted"), operation=collection, instructions={}) == [
        ("submitted", "applied", "submitted")
    ]


def test_another_tenants_operation_is_out_of_reach() -> None:
    other = replace(OPERATION, tenant_id="tenant_other")
    found = judged(plain("submitted"), operation=other)
    assert found == [("submitted", "parked", "MONEY_RAIL_OPERATION_NOT_FOUND")]


def test_an_operation_is_found_by_its_transfer_unless_two_have_it() -> None:
    event = {"providerRef": "tr_1", "eventType": "submitted"}
    assert judged(event) == [("submitted", "applied", "submitted")]
    twins = [OPERATION, replace(OPERATION, operation_id="mop_other", payout_key="other")]
    assert judged(event, operations=twins) == [
        ("submitted", "refused", "MONEY_RAIL_OPERATION_ID_REQUIRED")
    ]


# --- order ----------------------------------------------------------------------------------------


def test_events_in_any_order_end_where_the_ordered_ones_end() -> None:
    steps = [plain("submitted"), plain("confirmed"), plain("reversed")]
    for order in itertools.permutations(steps):
        found = {event_type: (status, state) for event_type, status, state in judged(*order)}
        assert found == {name: ("applied", name) for name in ("submitted", "confirmed", "reversed")}


def test_an_early_event_waits_and_is_not_dropped() -> None:
    missing = "MONEY_RAIL_PREDECESSOR_MISSING"
    assert judged(plain("confirmed")) == [("confirmed", "parked", missing)]
    assert judged(plain("confirmed"), plain("submitted")) == [
        ("confirmed", "applied", "confirmed"),
        ("submitted", "applied", "submitted"),
    ]


def test_what_the_export_already_reached_counts_as_told() -> None:
    ahead = replace(OPERATION, state="submitted")
    assert judged(plain("confirmed"), operation=ahead) == [("confirmed", "applied", "confirmed")]
    # The export holds the same event by now: the answer does not change.
    told = replace(OPERATION, state="confirmed")
    assert judged(plain("submitted"), plain("confirmed"), operation=told) == [
        ("submitted", "applied", "submitted"),
        ("confirmed", "applied", "confirmed"),
    ]


def test_repeated_late_and_impossible_steps_change_nothing() -> None:
    invalid = "MONEY_RAIL_INVALID_TRANSITION"
    assert judged(
        plain("submitted"),
        plain("submitted", 2),
        plain("confirmed"),
        plain("submitted", 3),
        plain("failed"),
    ) == [
        ("submitted", "applied", "submitted"),
        ("submitted", "repeated", "submitted"),
        ("confirmed", "applied", "confirmed"),
        ("submitted", "late", "confirmed"),
        ("failed", "refused", invalid),
    ]


def test_a_partial_reversal_reverses_nothing_as_a_whole() -> None:
    found = judged(
        stripe_event("transfer.created", destination_payment="py_1"),
        stripe_event("transfer.reversed", "evt_2", amount_reversed=100),
        stripe_event("transfer.reversed", "evt_3", amount_reversed=2_100),
    )
    assert found == [
        ("submitted", "applied", "submitted"),
        ("confirmed", "applied", "confirmed"),
        ("reversed", "noted", "PARTIAL_REVERSAL"),
        ("reversed", "applied", "reversed"),
    ]


def test_the_state_machine_is_the_kernels() -> None:
    allowed = {
        ("initiated", "submitted"),
        ("initiated", "failed"),
        ("initiated", "cancelled"),
        ("submitted", "confirmed"),
        ("submitted", "failed"),
        ("submitted", "cancelled"),
        ("confirmed", "reversed"),
    }
    states = ("initiated", "submitted", "confirmed", "failed", "cancelled", "reversed")
    found = {(s, e) for s in states for e in states[1:] if next_state(s, e)[0] == "applied"}
    assert found == allowed


# --- who may deliver ------------------------------------------------------------------------------


def test_the_providers_file_is_private_and_sound(tmp_path: Path) -> None:
    path = tmp_path / "providers.json"
    sound = {"providerId": "p", "secrets": ["whsec_a"], "statusMap": {"Paid_Out": "confirmed"}}
    path.write_text(json.dumps({"providers": [sound]}))
    path.chmod(0o600)
    assert load_providers(path)["p"].status_map == {"paid_out": "confirmed"}
    path.chmod(0o644)
    with pytest.raises(SettingError, match="mode 0600"):
        load_providers(path)
    path.chmod(0o600)
    for wrong in (
        [sound, sound],
        [sound | {"secrets": "whsec_a"}],
        [sound | {"secrets": [" "]}],
        [sound | {"statusMap": {"x": "paid"}}],
        [sound | {"toleranceSeconds": 0}],
        {},
    ):
        path.write_text(json.dumps({"providers": wrong}) if wrong else "[]")
        with pytest.raises(SettingError):
            load_providers(path)
