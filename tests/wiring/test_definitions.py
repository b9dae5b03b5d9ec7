"""Dagster's definitions load with no network, no secret and no data, and say what each asset is."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.definitions import build_defs
from dagster_project.home import write_state
from dagster_project.resources import Wiring
from dagster_project.sensors import decision_sensor, hint_sensor
from ingest.deliveries.spool import DeliverySpool, SpooledEvent


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """Definitions of an empty home, loaded while every connection is refused."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection while definitions load")

    home = tmp_path_factory.mktemp("definitions") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        found = build_defs(Wiring(environ={"TIEOUT_HOME": str(home)}))
        found.resolve_asset_graph()
    assert not (home / "state" / "home.json").exists(), "loading must bind the home to nothing"
    return found


def test_every_asset_has_a_group_an_owner_kinds_and_a_description(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    assert len(nodes) > 100
    for node in nodes:
        assert node.group_name != "default", node.key
        assert node.kinds, node.key
        assert node.description, node.key
        if node.key.path[0] != "seeds":
            assert node.owners, node.key


def test_models_wait_for_the_run_and_its_pin(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    staged = graph.get(dg.AssetKey(["staging", "stg_stripe__charges"])).parent_keys
    assert dg.AssetKey(["landing", "stripe", "charges"]) in staged
    assert dg.AssetKey(["landing", "tieout", "pinned_batches"]) in staged
    pin = graph.get(dg.AssetKey(["landing", "tieout", "pinned_batches"])).parent_keys
    assert dg.AssetKey(["landing", "kernel", "settlement_receipts"]) in pin


def test_acts_come_after_packets_decisions_and_payments(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    acts = graph.get(dg.AssetKey(["publication", "acts"])).parent_keys
    assert {key.path[-1] for key in acts} == {"issued", "gate_decisions", "payouts"}
    models = graph.get(dg.AssetKey(["marts", "run_packets"])).parent_keys
    assert dg.AssetKey(["publication", "acts"]) in models


def test_dbt_tests_are_asset_checks(definitions: dg.Definitions) -> None:
    checks = {key.to_user_string() for key in definitions.resolve_asset_graph().asset_check_keys}
    assert "marts/reconciliation_drift:row_rules" in checks
    assert "publication/published:no_open_breaks" in checks
    assert "packets/issued:packets_verify" in checks
    assert "publication/published:evidence_allows_payouts" in checks
    assert "enforcement/gate_decisions:newest_decisions_verify" in checks
    assert "enforcement/payouts:every_payment_has_an_outcome" in checks
    assert len(checks) > 100
    # A view is tested in the table that reads it, so no run would ever evaluate a check of its own.
    assert not {check for check in checks if check.startswith("staging/stg_tieout__")}


def test_a_check_of_whole_rows_says_what_it_demands(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    keys = [key for key in graph.asset_check_keys if key.name == "row_rules"]
    said = {key.asset_key.path[-1]: graph.get_check_spec(key).description for key in keys}
    assert len(said) > 50
    assert [name for name, text in said.items() if not text] == []
    assert said["tie_outs"] == (
        "One row a tenant_id, tie_out, period, account_id, balance_type, currency; "
        "every row: difference is left minus right"
    )


def test_each_job_runs_in_one_process_and_none_is_partitioned(
    definitions: dg.Definitions,
) -> None:
    for name in ("reconcile", "enforce", "reconcile_and_enforce"):
        job = definitions.resolve_job_def(name)
        assert job.partitions_def is None, name
        assert job.executor_def.name == "in_process", name


def test_warehouse_and_publication_share_a_pool(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("reconcile")
    pools = {node.name: node.definition.pool for node in job.nodes}  # type: ignore[attr-defined]
    shared = {name for name, pool in pools.items() if pool == "warehouse"}
    assert shared == {"warehouse", "publication__published", "acts_models", "publication__closed"}
    assert pools["stripe"] is None


NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class Ticking:
    """A home with the sensor's view of it, at a time of our own."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.now = NOON
        given = {"TIEOUT_HOME": str(home), "TIEOUT_PAYOUTS": "live", **environ}
        self.wiring = Wiring(environ=given, clock=lambda: self.now)
        self.home = self.wiring.home()
        self._sensor = decision_sensor(self.wiring)

    def decide(self, tenant: str, at: datetime) -> None:
        folder = self.home.decisions / tenant
        folder.mkdir(exist_ok=True)
        (folder / f"{at:%Y%m%dT%H%M%SZ}-aa.json").write_text("{}")

    def act(self, tenant: str, **act: Any) -> None:
        state = {tenant: {"decision": None, "open": False, "refused": None, **act}}
        write_state(self.home.state / "enforced.json", state)

    def __call__(self, cursor: str | None = None) -> Any:
        return self._sensor(dg.build_sensor_context(cursor=cursor))

    def skip(self, cursor: str | None = None) -> str:
        tick = self(cursor)
        assert isinstance(tick, dg.SkipReason), tick
        return str(tick.skip_message)


@pytest.fixture
def ticking(tmp_path: Path) -> Ticking:
    return Ticking(tmp_path / "home")


def test_the_sensor_asks_once_for_a_new_decision(ticking: Ticking) -> None:
    assert "no gate decision yet" in ticking.skip()
    ticking.decide("tenant_a", NOON)
    first = ticking()
    assert len(first.run_requests) == 1
    assert "already asked for" in ticking.skip(first.cursor)
    ticking.decide("tenant_a", NOON + timedelta(minutes=1))
    assert ticking(first.cursor).run_requests[0].run_key != first.run_requests[0].run_key


def test_a_tick_reads_no_warehouse_and_no_decision(ticking: Ticking) -> None:
    """Whatever would have to be opened is a pipe: a tick that opened it would wait for ever."""
    ticking.decide("tenant_a", NOON)
    (decision,) = (ticking.home.decisions / "tenant_a").iterdir()
    decision.unlink()
    for path in (decision, ticking.home.current, ticking.home.warehouse / "warehouse.duckdb"):
        os.mkfifo(path)
    assert len(ticking().run_requests) == 1


def test_the_sensor_asks_for_an_open_payment_whose_decisions_are_gone(ticking: Ticking) -> None:
    ticking.act("tenant_a", decision=f"{NOON:%Y%m%dT%H%M%SZ}-aa.json", open=True)
    assert len(ticking().run_requests) == 1
    ticking.act("tenant_a", decision=f"{NOON:%Y%m%dT%H%M%SZ}-aa.json", open=False)
    assert "no gate decision yet" in ticking.skip()


def test_taking_the_newest_decision_away_asks_for_no_run_under_the_one_before(
    ticking: Ticking,
) -> None:
    ticking.decide("tenant_a", NOON - timedelta(minutes=5))
    ticking.act("tenant_a", decision=f"{NOON:%Y%m%dT%H%M%SZ}-aa.json")
    assert "every live decision was carried out" in ticking.skip()


def test_the_sensor_keeps_asking_while_a_decision_is_due(ticking: Ticking) -> None:
    ticking.decide("tenant_a", NOON)
    first = ticking()
    ticking.now += timedelta(minutes=6)
    # The run it asked for may have failed: what counts is what is there, not what was asked.
    assert ticking(first.cursor).run_requests[0].run_key != first.run_requests[0].run_key


def test_the_sensor_asks_for_a_payment_without_an_outcome_under_no_live_decision(
    ticking: Ticking,
) -> None:
    ticking.decide("tenant_a", NOON)
    ticking.act("tenant_a", decision=f"{NOON:%Y%m%dT%H%M%SZ}-aa.json", open=True)
    ticking.now += timedelta(days=1)
    assert len(ticking().run_requests) == 1


def test_the_sensor_says_which_decision_is_stale_and_asks_for_nothing(ticking: Ticking) -> None:
    ticking.decide("tenant_a", NOON - timedelta(minutes=30))
    assert "expired before it was carried out: tenant_a" in ticking.skip()


def test_the_sensor_says_which_decision_was_refused(ticking: Ticking) -> None:
    ticking.decide("tenant_a", NOON)
    name = f"{NOON:%Y%m%dT%H%M%SZ}-aa.json"
    ticking.act("tenant_a", decision=name, refused="signature_invalid")
    assert "refused: tenant_a (signature_invalid)" in ticking.skip()


def test_the_sensor_reports_what_it_cannot_read_and_asks_for_nothing(ticking: Ticking) -> None:
    ticking.decide("tenant_a", NOON)
    (ticking.home.state / "enforced.json").write_text("[]")
    assert "nothing is paid" in ticking.skip()
    assert "enforced.json" in ticking.skip()


def test_the_sensor_reports_a_setting_that_is_wrong(tmp_path: Path) -> None:
    assert "TIEOUT_PAYOUTS" in Ticking(tmp_path / "home", TIEOUT_PAYOUTS="yes").skip()


def test_the_sensor_is_silent_while_payouts_are_off(tmp_path: Path) -> None:
    wiring = Wiring(environ={"TIEOUT_HOME": str(tmp_path / "home")})
    folder = wiring.home().decisions / "tenant_a"
    folder.mkdir()
    (folder / "20260101T000000Z-aa.json").write_text("{}")
    assert isinstance(decision_sensor(wiring)(dg.build_sensor_context()), dg.SkipReason)


def test_the_sensor_asks_once_for_a_new_webhook_event(tmp_path: Path) -> None:
    home = tmp_path / "home"
    wiring = Wiring(environ={"TIEOUT_HOME": str(home)})
    sensor = hint_sensor(wiring)
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def tick(cursor: str | None) -> Any:
        return sensor(dg.build_sensor_context(cursor=cursor))

    assert isinstance(tick(None), dg.SkipReason)
    with DeliverySpool(home) as spool:
        spool.add_event(SpooledEvent("evt_1", "transfer.updated", None, now), at=now)
        first = tick(None)
        assert len(first.run_requests) == 1
        assert isinstance(tick(first.cursor), dg.SkipReason)
        spool.add_event(SpooledEvent("evt_2", "transfer.updated", None, now), at=now)
        assert tick(first.cursor).run_requests[0].run_key != first.run_requests[0].run_key
        spool.settle({1: "read", 2: "read"}, at=now)
        assert isinstance(tick(first.cursor), dg.SkipReason)
