"""Claims about lists: cursors, time ranges and filters, with every page boundary tried."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ingest.simulator.api import Api, Request
from ingest.simulator.faults import Faults
from ingest.simulator.forms import decode
from ingest.simulator.rail import Rail, RailError
from tests.simulator.rail_world import START, day, new_rail

Ask = Callable[[str], Any]


@pytest.fixture(scope="module")
def rail() -> Rail:
    rail, _ = new_rail()
    rail.top_up(100_000, at=START)
    for number in range(25):
        group = f"g{number % 3}"
        # Planted out of order, several in the same second.
        rail.create_charge(100 + number, at=day(20 - number // 2), transfer_group=group)
    return rail


@pytest.fixture(scope="module")
def ask(rail: Rail) -> Ask:
    api = Api(rail, Faults())

    def asked(url: str) -> Any:
        path, _, query = url.partition("?")
        headers = {"authorization": "Bearer sk_test_pages"}
        return json.loads(api.handle(Request("GET", path, query, headers)).body)

    return asked


def ids(page: Any) -> list[str]:
    return [obj["id"] for obj in page["data"]]


@pytest.mark.parametrize("limit", [1, 4, 5, 24, 25, 26, 100])
def test_pages_forward_and_backward_cover_everything_once(limit: int, rail: Rail, ask: Ask) -> None:
    wanted = [charge["id"] for charge in rail.objects("charge")]
    seen: list[str] = []
    cursor = ""
    for _ in range(30):
        page = ask(f"/v1/charges?limit={limit}{cursor}")
        seen += ids(page)
        if not page["has_more"]:
            break
        cursor = f"&starting_after={seen[-1]}"
    assert seen == wanted
    back: list[str] = []
    cursor = f"&ending_before={wanted[-1]}"
    for _ in range(30):
        page = ask(f"/v1/charges?limit={limit}{cursor}")
        back = ids(page) + back
        if not page["has_more"]:
            break
        cursor = f"&ending_before={back[0]}"
    assert back == wanted[:-1]


@pytest.mark.parametrize(
    ("query", "low", "high"),
    [
        ("created[gte]={a}&created[lt]={b}", 10, 14),
        ("created[gt]={a}&created[lte]={b}", 11, 15),
        ("created={a}", 10, 11),
        ("created[gte]={b}&created[lt]={a}", 1, 1),
    ],
)
def test_created_bounds_mean_what_they_say(
    query: str, low: int, high: int, rail: Rail, ask: Ask
) -> None:
    stamps = {"a": int(day(10).timestamp()), "b": int(day(14).timestamp())}
    wanted = {day(n).timestamp() for n in range(low, high)}
    page = ask("/v1/charges?limit=100&" + query.format(**stamps))
    expected = [c["id"] for c in rail.objects("charge") if c["created"] in wanted]
    assert ids(page) == expected


def test_filters_hold_across_pages(rail: Rail, ask: Ask) -> None:
    wanted = [c["id"] for c in rail.objects("charge") if c["transfer_group"] == "g1"]
    first = ask("/v1/charges?limit=5&transfer_group=g1")
    assert first["has_more"] is True
    second = ask(f"/v1/charges?limit=5&transfer_group=g1&starting_after={ids(first)[-1]}")
    assert second["has_more"] is False
    assert ids(first) + ids(second) == wanted
    kinds = ask("/v1/balance_transactions?limit=100&type=topup")["data"]
    assert [txn["type"] for txn in kinds] == ["topup"]
    source = wanted[0]
    assert len(ask(f"/v1/balance_transactions?source={source}")["data"]) == 1
    assert ask("/v1/balance_transactions?currency=eur")["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("starting_after=ch_none", "starting_after"),
        ("ending_before=ch_none", "ending_before"),
        ("created[around]=5", "around"),
        ("created[gte]=soon", "gte"),
        ("colour=red", "colour"),
        ("payout=po_1", "payout"),
    ],
)
def test_malformed_questions_are_refused(query: str, param: str, ask: Ask) -> None:
    assert ask(f"/v1/charges?{query}")["error"]["param"] == param


def test_unknown_urls_and_payouts_are_refused(ask: Ask) -> None:
    for url in ("/v1", "/", "/v1/charges/x/y/z", "/v2/core/accounts", "/v1/transfers/a/b/c/d"):
        assert "error" in ask(url), url
    assert ask("/v1/balance_transactions?payout=po_none")["error"]["code"] == "resource_missing"


def test_forms_nest_and_refuse_what_stripe_refuses() -> None:
    assert decode("a=1&b[c][d]=2&e[]=3&e[]=4&f[1]=y&f[0]=x&metadata[7]=m") == {
        "a": "1",
        "b": {"c": {"d": "2"}},
        "e": ["3", "4"],
        "f": ["x", "y"],
        "metadata": {"7": "m"},
    }
    for bad in ("[a]=1", "a[b=1", "a=1&a[b]=2", "a[b][c][d][e][f][g]=1", "&".join(["a=1"] * 501)):
        with pytest.raises(RailError):
            decode(bad)
