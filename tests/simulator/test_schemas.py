"""Claim: whatever the simulated rail answers is a complete Stripe object and nothing more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from ingest.simulator.api import Api, Request
from ingest.simulator.faults import Faults
from ingest.simulator.rail import Rail
from tests.simulator.rail_world import PERSONAL, eventful_rail

Check = Callable[[dict[str, Any]], None]
HEADERS = {"authorization": "Bearer sk_test_schema"}
LISTS = (
    "accounts",
    "application_fees",
    "balance_transactions",
    "charges",
    "disputes",
    "events",
    "payouts",
    "refunds",
    "topups",
    "transfers",
)


def closed(schema: Any) -> Any:
    """Return the schema with additionalProperties=false wherever properties are named."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made


@cache
def validators(source: Path) -> dict[str, jsonschema_rs.Draft202012Validator]:
    definitions = closed(json.loads(source.read_text())["$defs"])
    definitions["list_of"]["additionalProperties"] = False
    return {
        name: jsonschema_rs.Draft202012Validator({"$defs": definitions, "$ref": f"#/$defs/{name}"})
        for name in definitions
    }


@pytest.fixture
def check(shared: Path) -> Check:
    source = shared / "stripe" / "schemas.json"
    if not source.exists():
        pytest.skip("no Stripe schemas in the shared folder")
    known = validators(source)

    def validate(obj: dict[str, Any]) -> None:
        name = "error" if "error" in obj else obj["object"]
        if name == "list":
            known["list_of"].validate(obj)
            for part in obj["data"]:
                validate(part)
            return
        known[name].validate(obj)
        if name == "event":
            validate(obj["data"]["object"])

    return validate


@pytest.fixture(scope="module")
def rail() -> Rail:
    return eventful_rail()[0]


@pytest.fixture(scope="module")
def ask(rail: Rail) -> Callable[..., dict[str, Any]]:
    api = Api(rail, Faults())

    def asked(method: str, path: str, form: str = "", account: str | None = None) -> Any:
        headers = HEADERS if account is None else HEADERS | {"stripe-account": account}
        query, body = (form, b"") if method == "GET" else ("", form.encode())
        return json.loads(api.handle(Request(method, path, query, headers, body)).body)

    return asked


def accounts(rail: Rail) -> Iterator[str]:
    yield rail.platform_id
    yield from (account["id"] for account in rail.objects("account"))


@pytest.mark.parametrize("name", LISTS)
def test_every_listed_and_retrieved_object_is_complete_and_closed(
    name: str, rail: Rail, ask: Callable[..., dict[str, Any]], check: Check
) -> None:
    seen = 0
    for account in accounts(rail):
        page = ask("GET", f"/v1/{name}", "limit=100", account)
        check(page)
        for obj in page["data"]:
            one = ask("GET", f"/v1/{name}/{obj['id']}", account=account)
            check(one)
            assert one == obj
            seen += 1
    assert seen > 0


def test_lists_inside_objects_are_complete_and_closed(
    rail: Rail, ask: Callable[..., dict[str, Any]], check: Check
) -> None:
    inner = [
        *(f"/v1/transfers/{t['id']}/reversals" for t in rail.objects("transfer")),
        *(f"/v1/application_fees/{f['id']}/refunds" for f in rail.objects("application_fee")),
        *(f"/v1/charges/{c['id']}/refunds" for c in rail.objects("charge")),
        "/v1/accounts/acct_1Person/capabilities",
        "/v1/accounts/acct_1Person/external_accounts",
    ]
    held = 0
    for path in inner:
        page = ask("GET", path)
        check(page)
        held += len(page["data"])
    assert held > 8
    check(ask("GET", "/v1/accounts/acct_1Person/capabilities/transfers"))
    reversal = rail.objects("transfer_reversal")[0]
    check(ask("GET", f"/v1/transfers/{reversal['transfer']}/reversals/{reversal['id']}"))


def test_balances_accounts_and_settings_are_complete_and_closed(
    rail: Rail, ask: Callable[..., dict[str, Any]], check: Check
) -> None:
    for account in accounts(rail):
        for path in ("/v1/account", "/v1/balance", "/v1/balance_settings"):
            answer = ask("GET", path, account=account)
            assert "error" not in answer
            check(answer)


def test_every_act_over_http_answers_with_a_complete_object(
    rail: Rail, ask: Callable[..., dict[str, Any]], check: Check
) -> None:
    to = "amount=700&currency=usd&destination=acct_1Seller&transfer_group=k&metadata[a]=b"
    transfer = ask("POST", "/v1/transfers", to)
    charge = next(
        c["id"]
        for c in rail.objects("charge")
        if c["status"] == "succeeded" and not c["disputed"] and not c["refunded"]
    )
    dispute = next(d for d in rail.objects("dispute", "acct_1Seller"))
    payout = ask("POST", "/v1/payouts", "amount=70&currency=usd")
    answers = [
        transfer,
        payout,
        ask("POST", f"/v1/payouts/{payout['id']}/cancel"),
        ask("POST", f"/v1/transfers/{transfer['id']}", "metadata[a]=&description=x"),
        ask("POST", f"/v1/transfers/{transfer['id']}/reversals", "amount=100"),
        ask("POST", "/v1/refunds", f"charge={charge}&amount=5"),
        ask("POST", "/v1/topups", "amount=900&currency=usd"),
        ask("POST", "/v1/balance_settings", "payments[payouts][schedule][interval]=manual"),
        ask("POST", "/v1/accounts/acct_1Seller", "metadata[a]=b"),
    ]
    for answer in answers:
        assert "error" not in answer
        check(answer)
    refused = ask("POST", f"/v1/disputes/{dispute['id']}/close")
    assert refused["error"]["code"] == "resource_missing"
    check(refused)


def test_refusals_are_complete_and_closed(ask: Callable[..., dict[str, Any]], check: Check) -> None:
    for method, path, form in (
        ("GET", "/v1/nonsense", ""),
        ("GET", "/v1/charges/ch_none", ""),
        ("GET", "/v1/charges", "limit=101"),
        ("GET", "/v1/charges", "colour=red"),
        ("POST", "/v1/transfers", "amount=1"),
        ("POST", "/v1/transfers", "amount=1&currency=usd&destination=acct_none"),
    ):
        refused = ask(method, path, form)
        assert "error" in refused
        check(refused)


def test_personal_data_is_planted_in_every_kind_that_could_carry_it(rail: Rail) -> None:
    for kind in ("charge", "refund", "dispute", "transfer", "payout", "topup", "account"):
        text = json.dumps(rail.objects(kind))
        assert PERSONAL["token"] in text, kind
        assert PERSONAL["email"] in text, kind
    assert PERSONAL["last4"] in json.dumps(rail.objects("charge"))
    assert PERSONAL["token"] in json.dumps(rail.objects("balance_transaction"))
    assert PERSONAL["email"] in json.dumps(rail.objects("event"))


def test_the_real_fixtures_can_be_put_on_the_rail_verbatim(shared: Path, rail: Rail) -> None:
    source = shared / "stripe" / "fixtures.json"
    if not source.exists():
        pytest.skip("no Stripe fixtures in the shared folder")
    fixtures = json.loads(source.read_text())["resources"]
    foreign, _ = eventful_rail()
    for kind in ("charge", "transfer", "dispute", "payout", "topup", "balance_transaction"):
        foreign.put_object(kind, fixtures[kind])
        assert foreign.retrieve(kind, fixtures[kind]["id"]) == fixtures[kind]
    assert foreign.check_invariants() == []


def test_the_check_itself_refuses_a_missing_and_an_invented_field(rail: Rail, check: Check) -> None:
    for kind in ("charge", "transfer", "dispute", "account"):
        good = rail.objects(kind)[0]
        missing = {name: value for name, value in good.items() if name != "id"}
        for bad in (missing, good | {"invented": 1}):
            with pytest.raises(jsonschema_rs.ValidationError):
                check(bad)
    deep = rail.objects("charge")[0]
    deep["payment_method_details"]["card"]["invented"] = 1
    with pytest.raises(jsonschema_rs.ValidationError):
        check(deep)
