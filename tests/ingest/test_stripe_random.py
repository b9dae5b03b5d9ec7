"""Whatever happens on the rail, and however pulls fail or die in between, what is landed equals the
ledger after the next pull that ends well."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ingest.landing import Landing
from ingest.simulator.http import serve
from ingest.simulator.rail import Rail, RailError
from ingest.stripe import reader, rereads
from ingest.stripe.client import pull_stripe
from ingest.stripe.endpoints import ENDPOINTS
from ingest.stripe.shapes import Seal, Shape
from tests.ingest.desk import FAST, KEY
from tests.simulator.rail_world import START, new_rail
from tests.simulator.random_acts import ACTS

FAULTS = ("server_error", "rate_limited", "torn_body", "cut_before_acting", "empty_page", "none")
# Time alone changes these, and the warehouse computes them from `available_on`.
BY_TIME = {"status"}
MOVEMENTS = {"balance_transactions", "dispute_balance_transactions", "payout_members"}

acts = some.tuples(
    some.just("act"), some.integers(0, len(ACTS) - 1), some.integers(1, 5_000), some.integers(0, 50)
)
pulls = some.tuples(
    some.just("pull"),
    some.sampled_from(FAULTS),
    some.integers(0, 30),
    some.one_of(some.none(), some.integers(1, 25)),
)
waits = some.tuples(some.just("wait"), some.sampled_from([1, 60, 86_400, 8 * 86_400]))
histories = some.lists(some.one_of(acts, acts, acts, pulls, waits), min_size=10, max_size=45)
# Pages of two make long lists of short ones; a page taken for one row has objects read singly.
sizes = some.sampled_from([(2, 0, 1), (7, 0, 100), (100, 90, 100)])


class _Died(BaseException):
    """A pull that ends as if its process had been killed between two writes."""


@contextmanager
def page_sizes(page: int, one_page: int, cost: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "PAGE_LIMIT", page)
        patch.setattr(rereads, "ONE_PAGE", one_page)
        patch.setattr(rereads, "PAGE", cost)
        yield


def pull(home: Path, url: str, now: datetime, dies_at: int | None) -> bool:
    landing = Landing(home)
    write, written = landing.write, count(1)

    def dying(*arguments: Any, **named: Any) -> Any:
        if next(written) == dies_at:
            raise _Died
        return write(*arguments, **named)

    landing.write = dying  # type: ignore[method-assign]
    try:
        return pull_stripe(
            home=home,
            api_key=KEY,
            api_base=url,
            accounts=(),
            now=now,
            landing=landing,
            limits=FAST,
            slice_pages=2,
            sleep=lambda seconds: None,
        ).complete
    except _Died:
        return False


def newest(home: Path, shape: Shape) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = [column.name for column in shape.spec.columns]
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for values in Landing(home).rows(shape.spec, names):
        row = dict(zip(names, values, strict=True))
        found[tuple(row[name] for name in shape.spec.key)] = row
    return found


def differences(home: Path, rail: Rail) -> list[str]:
    """One sentence for each object that is not landed as the ledger has it."""
    seal, said = Seal(b"another key: digests are not compared"), []
    for endpoint in ENDPOINTS:
        if endpoint.name == "events":
            continue
        expected: dict[tuple[Any, ...], dict[str, Any]] = {}
        for account in (None, "acct_1Seller", "acct_1Euro"):
            for value in rail.objects(endpoint.name, account):
                if value.get("exchange_rate") is not None:
                    value["exchange_rate"] = str(value["exchange_rate"])
                row = dict(endpoint.shape.row(value, seal))
                row["account_id"] = account or rail.platform_id
                expected[tuple(row[name] for name in endpoint.shape.spec.key)] = row
        landed = newest(home, endpoint.shape)
        said += [f"{endpoint.name} {key} is not landed" for key in expected.keys() - landed.keys()]
        said += [f"{endpoint.name} {key} is invented" for key in landed.keys() - expected.keys()]
        ignored = {"row_digest"} | (BY_TIME if endpoint.shape.table in MOVEMENTS else set())
        for key in expected.keys() & landed.keys():
            for name, value in expected[key].items():
                if name not in ignored and landed[key][name] != value:
                    said.append(f"{endpoint.name} {key}: {name} {landed[key][name]}, not {value}")
    return said


def child_differences(home: Path, rail: Rail) -> list[str]:
    """The same for what hangs off objects: ids and amounts."""
    said = []
    for kind, table in (
        ("transfer_reversal", "transfer_reversals"),
        ("fee_refund", "application_fee_refunds"),
    ):
        expected = sorted((made["id"], made["amount"]) for made in rail.objects(kind))
        (shape,) = (c.shape for e in ENDPOINTS for c in e.children if c.shape.table == table)
        landed = sorted((row["id"], row["amount"]) for row in newest(home, shape).values())
        if landed != expected:
            said.append(f"{table}: {landed}, not {expected}")
    (shape,) = (c.shape for e in ENDPOINTS for c in e.children if "dispute" in c.shape.table)
    expected_net = sorted(
        (dispute["id"], moved["id"], moved["net"])
        for account in (None, "acct_1Seller", "acct_1Euro")
        for dispute in rail.objects("dispute", account)
        for moved in dispute["balance_transactions"]
    )
    landed_net = sorted(
        (row["dispute_id"], row["balance_transaction_id"], row["net"])
        for row in newest(home, shape).values()
    )
    if landed_net != expected_net:
        said.append(f"{shape.table}: {landed_net}, not {expected_net}")
    return said


def live(home: Path, history: list[tuple[Any, ...]]) -> list[str]:
    """Lives through a history, pulls once more without trouble, and tells what differs."""
    rail, clock = new_rail(START)
    rail.top_up(20_000, at=START)
    home.mkdir(parents=True)
    with serve(rail, api_key=KEY) as server:
        for step in [*history, ("pull", "none", 0, None)]:
            clock.at += timedelta(seconds=step[1] if step[0] == "wait" else 1)
            if step[0] == "act":
                _, act, amount, which = step
                with suppress(RailError):
                    ACTS[act](rail, amount, which, (clock.at - START) / timedelta(days=1))
            elif step[0] == "pull":
                _, fault, after, dies_at = step
                if fault != "none":
                    server.faults.add(fault, path="/v1/*s", after=after, times=4)
                with suppress(RailError):
                    ended_well = pull(home, server.url, clock.at, dies_at)
                server.faults.clear()
        assert ended_well
    for manifest in Landing(home).committed():
        Landing(home).verify(manifest)
    return differences(home, rail) + child_differences(home, rail)


@settings(max_examples=6, deadline=None, database=None, derandomize=True)
@given(histories, sizes)
def test_what_is_landed_equals_the_ledger(
    history: list[tuple[Any, ...]], size: tuple[int, int, int]
) -> None:
    with tempfile.TemporaryDirectory() as folder, page_sizes(*size):
        assert live(Path(folder) / "home", history) == []


@pytest.mark.slow
@settings(max_examples=150, deadline=None, database=None)
@given(histories, sizes)
def test_what_is_landed_equals_the_ledger_over_many_histories(
    history: list[tuple[Any, ...]], size: tuple[int, int, int]
) -> None:
    with tempfile.TemporaryDirectory() as folder, page_sizes(*size):
        assert live(Path(folder) / "home", history) == []


def test_the_comparison_notices_an_object_that_is_missing_or_differs(tmp_path: Path) -> None:
    rail, clock = new_rail(START)
    rail.top_up(20_000, at=START)
    with serve(rail, api_key=KEY) as server:
        clock.at += timedelta(days=1)
        assert pull(tmp_path / "home", server.url, clock.at, None)
    assert differences(tmp_path / "home", rail) == []
    charge = rail.create_charge(900, at=datetime(2026, 3, 1, tzinfo=UTC))
    (missed, also) = differences(tmp_path / "home", rail)
    assert "not landed" in missed
    assert charge["id"] in missed + also
