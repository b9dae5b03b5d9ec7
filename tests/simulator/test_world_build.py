"""Worlds follow from anchor and seed alone, end at the anchor, and say what they planted."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.simulator import scenarios
from ingest.simulator.kernel_artifacts import KernelSigner
from ingest.simulator.kernel_export import EXPORT_TYPES, make_demo_key
from ingest.simulator.scenarios import SCENARIOS
from ingest.simulator.world import World, build_demo, build_scenarios
from ingest.simulator.world_state import full_months
from tests.simulator.kernel_face import ANCHOR, read_export
from tests.simulator.planted import the_demo, the_stage

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_KINDS = ("charge", "refund", "dispute", "transfer", "payout", "topup", "balance_transaction")
_REASONS = {
    "MATCHED",
    "TIMING",
    "DUPLICATE_EXTERNAL",
    "DUPLICATE_INTERNAL",
    "CURRENCY_MISMATCH",
    "DESTINATION_MISMATCH",
    "SIGN_MISMATCH",
    "STATUS_CONFLICT",
    "AMOUNT_OVER",
    "AMOUNT_UNDER",
    "FEE_VARIANCE",
    "SPLIT_INCOMPLETE",
    "HOLDBACK_VARIANCE",
    "DISPUTE_NOT_BOOKED",
    "LATE_SETTLEMENT",
    "MISSING_EXTERNAL",
    "MISSING_INTERNAL",
    "REFERENCE_MISSING",
    "AMBIGUOUS_MATCH",
    "UNCLASSIFIED",
}


@pytest.fixture(scope="module")
def demo() -> World:
    """The demo at the usual anchor."""
    return the_demo()


@pytest.fixture(scope="module")
def stage() -> World:
    """Every scenario at the usual anchor."""
    return the_stage()


def _bytes(world: World, home: Path) -> dict[str, bytes]:
    key_pem = make_demo_key(home / "keys")
    world.write_exports(home / "exports", key_pem)
    world.write_truth(home / "truth.json")
    written = [path for path in home.rglob("*") if path.is_file() and "keys" not in path.parts]
    found = {str(path.relative_to(home)): path.read_bytes() for path in written}
    for kind in _KINDS:
        found[kind] = json.dumps(world.rail.objects(kind)).encode()
    return found


def test_two_builds_are_the_same_bytes_and_quick(tmp_path: Path, demo: World) -> None:
    began = time.perf_counter()
    again = build_demo(ANCHOR)
    assert time.perf_counter() - began < 5
    assert _bytes(demo, tmp_path) == _bytes(again, tmp_path)


def test_another_seed_is_another_world(demo: World) -> None:
    other = build_demo(ANCHOR, seed=1)
    ids = {row["id"] for row in demo.rail.objects("charge")}
    assert ids.isdisjoint(row["id"] for row in other.rail.objects("charge"))
    assert [r["drift_cents"] for r in other.truth] != [r["drift_cents"] for r in demo.truth]


def test_the_demo_is_three_partners_of_ordinary_size(demo: World) -> None:
    assert set(demo.partners) == {"tenant_aurora", "tenant_birch", "tenant_cobalt"}
    for partner in demo.partners.values():
        assert 2 <= len(partner.parties) <= 3
        for period in demo.months:
            settled = [sale for sale in partner.sales if f"{sale.settled_at:%Y-%m}" == period]
            assert 60 <= len(settled) <= 120
        closes = [row["period"] for row in partner.rows["month_closes"]]
        assert tuple(closes) == demo.months
        payable = {row["payoutKey"] for row in partner.rows["payout_requests"]}
        last = [r for r in partner.rows["payout_instructions"] if r["period"] == demo.months[2]]
        assert payable == {row["payoutKey"] for row in last}
        paid = {row["metadata"]["period"] for row in partner.rows["money_rail_operations"]}
        assert paid == set(demo.months[:2])
        # The open month has acts and no close.
        assert any(sale.settled_at >= demo.closes_at(demo.months[2]) for sale in partner.sales)
    assert {p.currency for p in demo.partners["tenant_cobalt"].parties.values()} == {"USD", "EUR"}


def test_the_demo_shows_release_net_hold_and_breaks(demo: World) -> None:
    gates = {(row["tenant_id"], row["party_id"]): row for row in demo.expected_gates}
    decisions = [row["decision"] for row in demo.expected_gates]
    assert sorted(set(decisions)) == ["hold", "release"]
    anvil = gates["tenant_cobalt", "pty_operator:anvil"]
    assert anvil["decision"] == "release"
    assert 0 < anvil["recovery_cents"] < anvil["gross_cents"]
    chisel = gates["tenant_cobalt", "pty_operator:chisel"]
    assert chisel["held_codes"] == ["PAYOUT_DAILY_LIMIT_EXCEEDED"]
    broken = {row["tenant_id"] for row in demo.truth if row["outcome"] == "break"}
    assert broken == {"tenant_birch", "tenant_cobalt"}


@pytest.mark.parametrize(
    ("anchor", "last"),
    [
        ("2026-11-02T05:59:59+00:00", "2026-09"),
        ("2026-11-02T06:00:00+00:00", "2026-10"),
        ("2026-11-30T23:59:59+00:00", "2026-10"),
        ("2027-01-15T00:00:00+00:00", "2026-12"),
    ],
)
def test_months_are_the_full_ones_that_the_kernel_has_paid(anchor: str, last: str) -> None:
    assert full_months(datetime.fromisoformat(anchor))[2] == last


def _times(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            # A dispute window is a promise about the future.
            if name != "disputeWindowEndsAt":
                yield from _times(item)
    elif isinstance(value, list):
        for item in value:
            yield from _times(item)
    elif isinstance(value, str) and _ISO.fullmatch(value):
        yield value


@pytest.mark.parametrize(
    "anchor",
    [
        datetime(2026, 11, 2, 6, tzinfo=UTC),
        datetime(2027, 3, 1, tzinfo=UTC),
    ],
)
def test_nothing_happens_after_the_anchor(anchor: datetime) -> None:
    latest = anchor.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for world in (build_demo(anchor), build_scenarios(anchor, list(SCENARIOS))):
        for partner in world.partners.values():
            rows = partner.export(exported_through=anchor).rows
            assert max(_times([list(part) for part in rows.values()])) <= latest
            for account in [None, *(party.account_id for party in partner.parties.values())]:
                created = [r["created"] for k in _KINDS for r in world.rail.objects(k, account)]
                assert max(created, default=0) <= anchor.timestamp()


def test_customers_are_on_the_rail_and_never_in_an_export(tmp_path: Path, demo: World) -> None:
    charges = demo.rail.objects("charge")
    personal = {row["billing_details"]["email"] for row in charges}
    personal |= {row["billing_details"]["name"] for row in charges}
    assert len(personal) > 40
    demo.write_exports(tmp_path / "exports", make_demo_key(tmp_path / "keys"))
    demo.write_truth(tmp_path / "truth.json")
    text = "".join(path.read_text() for path in tmp_path.rglob("*.json*"))
    assert not [value for value in personal if value in text]


def test_kernel_ids_repeat_between_tenants(tmp_path: Path, demo: World) -> None:
    demo.write_exports(tmp_path, make_demo_key(tmp_path.parent / "keys_of_repeats"))
    names = [
        {row["receiptId"] for row in read_export(tmp_path / tenant_id)["settlement_receipts"]}
        for tenant_id in demo.partners
    ]
    assert set.intersection(*names)


def test_both_metadata_prefixes_and_every_operation_state_occur(demo: World, stage: World) -> None:
    prefixes = {
        name.split("_")[0] for row in demo.rail.objects("transfer") for name in row["metadata"]
    }
    assert prefixes == {"nooterra", "settld"}
    states = {
        row["state"]
        for world in (demo, stage)
        for partner in world.partners.values()
        for row in partner.rows["money_rail_operations"]
    }
    assert states == {"submitted", "confirmed", "reversed"}


def test_every_exported_type_but_the_redundant_one_occurs(demo: World) -> None:
    filled = {
        name
        for partner in demo.partners.values()
        for name, rows in partner.export(exported_through=ANCHOR).rows.items()
        if rows
    }
    # Connect accounts travel inside the controls.
    assert filled == set(EXPORT_TYPES) - {"connect_accounts"}


def test_truth_rows_have_one_shape_and_known_codes(demo: World, stage: World) -> None:
    keys = {
        "tenant_id",
        "scenario",
        "period",
        "reason_code",
        "outcome",
        "party_id",
        "currency",
        "drift_cents",
        "rail_object_id",
        "kernel_object_id",
        "payout_key",
    }
    for row in demo.truth + stage.truth:
        assert set(row) == keys
        assert row["reason_code"] in _REASONS
        calm = {"MATCHED": "ok", "TIMING": "pending"}
        assert row["outcome"] == calm.get(row["reason_code"], "break")
        assert row["rail_object_id"] or row["kernel_object_id"]
    assert {row["reason_code"] for row in stage.truth} == _REASONS


def test_every_scenario_is_in_the_table_and_says_what_it_plants(stage: World) -> None:
    table = scenarios.__doc__ or ""
    said = {row["scenario"] for row in stage.truth} | {
        row["scenario"] for rows in stage.expectations().values() for row in rows
    }
    for name, scenario in SCENARIOS.items():
        assert re.search(rf"\b{name}\b", table), name
        assert len(scenario.description) > 20
        assert name in said
        assert f"t_{name}" in stage.partners


def test_a_scenario_is_the_same_alone_and_in_company() -> None:
    alone = build_scenarios(ANCHOR, ["amount_over"])
    together = build_scenarios(ANCHOR, ["clean_day", "amount_over"])
    (row,) = alone.truth
    again = next(r for r in together.truth if r["scenario"] == "amount_over")
    for name in ("tenant_id", "period", "reason_code", "drift_cents", "payout_key"):
        assert row[name] == again[name]


def test_fresh_closes_leave_three_days(stage: World) -> None:
    for row in stage.truth:
        if row["outcome"] == "pending":
            closes = stage.partners[row["tenant_id"]].rows["month_closes"]
            closed = max(datetime.fromisoformat(r["closedAt"]) for r in closes)
            assert ANCHOR - closed <= timedelta(days=3)


def test_the_kernels_key_follows_from_the_tenant() -> None:
    assert KernelSigner("t_a").key_id == KernelSigner("t_a").key_id != KernelSigner("t_b").key_id
