"""What lands from an export, and that reading it again changes no table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from ingest.errors import SourceUnavailable
from ingest.kernel.artifacts import EXPORTED, LANDED_TYPES
from ingest.kernel.reading import ExportRoot
from ingest.kernel.rows import KERNEL_TABLES
from tests.kernel.conftest import Kernel, Warehouse

Make = Callable[..., dict[str, Any]]
Json = dict[str, Any]

EXPORT_NAMES = """settlement_receipts settlement_decisions agent_run_settlements funding_holds
settlement_adjustments arbitration_verdicts dispute_envelopes x402_receipts settlement_statements
party_statements gl_batches payout_instructions money_rail_operations money_rail_provider_events
money_rail_controls money_rail_providers connect_accounts receipt_payout_links charge_links
party_agents payout_requests month_closes tenant_profiles billable_events public_keys"""


def operation(**over: Any) -> Json:
    return {
        "schemaVersion": "MoneyRailOperation.v1",
        "providerId": "stripe_prod_us",
        "operationId": "mop_t_acme:party:pty_1:period:2026-10:statement:" + "c" * 64,
        "tenantId": "t_acme",
        "direction": "payout",
        "amountCents": 100,
        "currency": "USD",
        "counterpartyRef": "stripe_connect:acct_1",
        "metadata": {},
        "state": "initiated",
        "initiatedAt": "2026-11-01T00:00:00.000Z",
        "updatedAt": "2026-11-01T00:00:00.000Z",
        **over,
    }


def controls(**over: Any) -> Json:
    return {
        "schemaVersion": "MoneyRailControls.v1",
        "tenantId": "t_acme",
        "realMoneyEnabled": True,
        "payoutKillSwitch": False,
        "updatedAt": "2026-11-01T00:00:00.000Z",
        **over,
    }


def test_the_types_are_those_of_the_public_contract() -> None:
    assert set(EXPORTED) == set(EXPORT_NAMES.split())


def test_every_table_starts_with_the_tenant_and_ends_with_where_it_came_from() -> None:
    tail = ["artifact_sha256", "verdict", "canonical_json", "source_file", "source_line"]
    for kind in LANDED_TYPES:
        names = [column.name for column in kind.spec.columns]
        assert names[0] == "tenant_id", kind.name
        last = tail if kind.keeps_text else [name for name in tail if name != "canonical_json"]
        assert names[-len(last) - 1 :] == [*last, "occurrence"], kind.name
    assert len({spec.table for spec in KERNEL_TABLES}) == len(KERNEL_TABLES)


def test_landing_the_same_export_again_changes_no_table(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, decision: Make
) -> None:
    kernel.write("settlement_receipts", [receipt(n) for n in range(1, 6)])
    kernel.write("settlement_decisions", [decision(n) for n in range(1, 6)])
    kernel.write("money_rail_controls", [controls(connect={"accounts": [{"accountId": "acct_1"}]})])
    kernel.write("connect_accounts", [{"tenantId": "t_acme", "accountId": "acct_1"}])
    kernel.sign()
    first = warehouse.land()
    sizes = warehouse.sizes()
    assert first.rows_landed == sum(sizes.values())
    again = warehouse.land()
    assert (again.rows_landed, warehouse.sizes()) == (0, sizes)
    assert again.rows_read == first.rows_read
    assert again.complete


def test_an_export_with_two_contents_for_one_id_lands_both_and_once(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    """The same id with another hash is an alert that the tables must be able to show."""
    one, other = receipt(1), receipt(1, releasedAmountCents=1000, refundedAmountCents=250)
    kernel.write("settlement_receipts", [one, other, one, other])
    pull = warehouse.land()
    rows = warehouse.rows("settlement_receipts")
    assert [(row["released_amount_cents"], row["occurrence"]) for row in rows] == [
        (1250, 0),
        (1000, 1),
    ]
    assert len({row["artifact_sha256"] for row in rows}) == 2
    assert pull.tenants[0].counts["settlement_receipts"].repeated == 2
    assert warehouse.land().rows_landed == 0


def test_a_content_that_comes_back_is_the_latest_again(
    kernel: Kernel, warehouse: Warehouse
) -> None:
    """A kill switch that was armed, disarmed and armed again must not stay disarmed."""
    for armed in (True, False, True):
        kernel.write("money_rail_controls", [controls(payoutKillSwitch=armed)])
        warehouse.land()
    rows = warehouse.rows("money_rail_controls")
    assert [row["payout_kill_switch"] for row in rows] == [True, False, True]


def test_snapshots_keep_their_history(kernel: Kernel, warehouse: Warehouse) -> None:
    states = ["initiated", "submitted", "confirmed"]
    lines = [
        operation(state=state, updatedAt=f"2026-11-0{day}T00:00:00.000Z")
        for day, state in enumerate(states, start=1)
    ]
    kernel.write("money_rail_operations", lines)
    warehouse.land()
    assert warehouse.land().rows_landed == 0
    rows = warehouse.rows("money_rail_operations")
    assert [row["state"] for row in rows] == states


def test_members_without_a_column_are_kept_in_the_canonical_text(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    exported = receipt(1, bindings={"z": [1, {"b": None, "a": "é"}]}, zzz=True)
    kernel.write("settlement_receipts", [exported])
    warehouse.land()
    (row,) = warehouse.rows("settlement_receipts")
    assert row["verdict"] == "verified"
    assert json.loads(row["canonical_json"]) == exported
    assert row["canonical_json"] == json.dumps(
        exported, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert row["artifact_sha256"] == exported["receiptHash"]


def test_times_land_in_utc_whatever_zone_they_were_written_in(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    zoned = receipt(1, settledAt="2026-10-05T10:00:01.250+02:00", createdAt="2026-10-05")
    kernel.write("settlement_receipts", [zoned])
    warehouse.land()
    (row,) = warehouse.rows("settlement_receipts")
    assert row["settled_at"] == datetime(2026, 10, 5, 8, 0, 1, 250_000)
    assert row["created_at"] == datetime(2026, 10, 5)
    assert row["verdict"] == "verified", "the hash covers the text as it was written"


# --- folders and files ----------------------------------------------------------------------------


def test_an_empty_export_folder_is_one_paragraph(kernel: Kernel, warehouse: Warehouse) -> None:
    kernel.root.mkdir()
    with pytest.raises(SourceUnavailable) as refusal:
        warehouse.land()
    paragraph = str(refusal.value)
    assert "\n" not in paragraph
    for part in ("Got:", "Expected:", "What to do:", "TIEOUT_KERNEL_EXPORTS"):
        assert part in paragraph


@pytest.mark.parametrize("root", ["{tmp}/absent", "nosuch://user:hunter2@host/exports"])
def test_an_export_that_cannot_be_opened_is_one_paragraph_without_secrets(
    kernel: Kernel, warehouse: Warehouse, tmp_path: Any, root: str
) -> None:
    with pytest.raises(SourceUnavailable) as refusal:
        warehouse.land(root=root.format(tmp=tmp_path))
    assert "hunter2" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_tenant_asked_for_and_absent_is_said(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [receipt(1)])
    with pytest.raises(SourceUnavailable, match="t_absent"):
        warehouse.land(only_tenants=["t_absent"])


def test_only_the_tenants_asked_for_are_read(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [receipt(1)])
    other = receipt(1, tenantId="t_other")
    kernel.write("settlement_receipts", [other], tenant="t_other")
    warehouse.land(only_tenants={"t_other"})
    assert [r["tenant_id"] for r in warehouse.rows("settlement_receipts")] == ["t_other"]


def test_a_tenant_whose_folder_is_gone_is_said_to_be_unless_others_were_asked_for(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    for tenant in ("t_gone", "t_other"):
        rows = [receipt(1, tenantId=tenant)]
        kernel.write("settlement_receipts", rows, tenant=tenant)
    warehouse.land()
    shutil.rmtree(kernel.root / "t_gone")

    def gone() -> list[tuple[str, str]]:
        return [
            (row["tenant_id"], row["status"])
            for row in warehouse.rows("coverage", source="tieout")
            if row["error_code"] == "export_missing"
        ]

    warehouse.land(only_tenants={"t_other"})
    assert gone() == []
    warehouse.land(erased=["t_gone"])
    assert gone() == []
    warehouse.land()
    assert gone() == [("t_gone", "failed")]


def test_a_file_of_no_known_type_is_reported_and_nothing_stops(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [receipt(1)])
    kernel.sign()
    kernel.write("gift_cards", [{"tenantId": "t_acme"}])
    (kernel.root / "README.txt").write_text("hello")
    (kernel.root / "t_acme" / "settlement_receipts" / "old").mkdir(parents=True)
    (kernel.root / ".t_acme.writing").mkdir()
    warehouse.land()
    reported = {(e["code"], e["source_file"], e["tenant_id"]) for e in warehouse.quarantine()}
    assert reported == {
        ("unknown_type", "t_acme/gift_cards.jsonl", "t_acme"),
        ("unknown_type", "t_acme/settlement_receipts/old", "t_acme"),
        ("unknown_type", "README.txt", None),
    }
    assert warehouse.rows("export_manifests")[0]["manifest_status"] == "trusted"
    assert len(warehouse.rows("settlement_receipts")) == 1


def test_nobody_exports_in_the_platforms_name(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [receipt(1)])
    forged = receipt(1, tenantId="_platform")
    kernel.write("settlement_receipts", [forged], tenant="_platform")
    warehouse.land()
    assert [r["tenant_id"] for r in warehouse.rows("settlement_receipts")] == ["t_acme"]
    assert [e["code"] for e in warehouse.quarantine()] == ["tenant_reserved"]


def test_a_file_that_cannot_be_read_fails_its_type_and_nothing_else(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.write("settlement_receipts", [receipt(1)])
    kernel.write("party_agents", [{"tenantId": "t_acme", "agentId": "a", "partyId": "p"}])
    kernel.sign()
    whole = ExportRoot.open

    def broken(root: ExportRoot, path: str) -> Any:
        if "party_agents" in path:
            raise PermissionError(13, "no")
        return whole(root, path)

    monkeypatch.setattr(ExportRoot, "open", broken)
    warehouse.land()
    coverage = {c["endpoint"]: c["status"] for c in warehouse.rows("coverage", source="tieout")}
    assert coverage == {"settlement_receipts": "complete", "party_agents": "failed"}
    (entry,) = warehouse.quarantine()
    assert (entry["code"], entry["source_file"]) == ("file_unreadable", "t_acme/party_agents.jsonl")
    (manifest,) = warehouse.rows("export_manifests")
    assert (manifest["manifest_status"], manifest["files_ok"]) == ("mismatch", 1)


def test_a_type_may_be_a_folder_of_files(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    for number, name in enumerate(("2026-09.jsonl", "2026-10.ndjson"), start=1):
        kernel.write("", [receipt(number)], name=f"settlement_receipts/{name}")
    warehouse.land()
    files = {row["source_file"] for row in warehouse.rows("settlement_receipts")}
    assert files == {
        "t_acme/settlement_receipts/2026-09.jsonl",
        "t_acme/settlement_receipts/2026-10.ndjson",
    }


def test_exports_are_read_from_any_fsspec_address(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    line = json.dumps(receipt(1)).encode()
    memory.pipe("/exports-of-a-test/t_acme/settlement_receipts.jsonl", line)
    try:
        warehouse.land(root="memory://exports-of-a-test")
    finally:
        memory.rm("/exports-of-a-test", recursive=True)
    assert len(warehouse.rows("settlement_receipts")) == 1


def test_children_are_committed_before_their_parents() -> None:
    order = [spec.table for spec in KERNEL_TABLES]
    for kind in LANDED_TYPES:
        for child in kind.child_specs:
            assert order.index(child.table) < order.index(kind.name)
        for inner in kind.inside.values():
            assert order.index(inner.name) < order.index(kind.name)
    assert order.index("connect_accounts") < order.index("money_rail_controls")


def test_nothing_waits_in_the_home_after_a_pull(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, home: Any
) -> None:
    kernel.write("settlement_receipts", [receipt(1)])
    warehouse.land()
    assert {path.name for path in home.iterdir()} <= {"landing", "quarantine", "state"}


def test_progress_names_what_is_read(kernel: Kernel, warehouse: Warehouse, receipt: Make) -> None:
    kernel.write("settlement_receipts", [receipt(1), receipt(2)])
    said: list[tuple[str, int]] = []
    warehouse.land(progress=lambda what, rows: said.append((what, rows)))
    assert said == [("kernel t_acme settlement_receipts", 2)]
