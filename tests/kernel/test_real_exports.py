"""The kernel's own artifacts, exported and landed, show the numbers that their pack states."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import Kernel, Warehouse

Json = dict[str, Any]


def load(path: Path) -> Json:
    loaded: Json = json.loads(path.read_bytes())
    return loaded


@pytest.fixture(scope="module")
def real(fixtures: Path, shaped: Path, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """One export of everything the fixtures hold, landed once for all tests here."""
    folder = tmp_path_factory.mktemp("real")
    shutil.copytree(shaped, folder / "home")
    kernel = Kernel(folder / "exports")
    warehouse = Warehouse(folder / "home", kernel)
    demo = fixtures / "derived/finance_demo/month/artifacts"
    latest = fixtures / "repo/dashboard/public/demo/finance/latest"
    for artifact_type, folder in (
        ("party_statements", "PartyStatement.v1"),
        ("payout_instructions", "PayoutInstruction.v1"),
        ("gl_batches", "GLBatch.v1"),
    ):
        lines = [load(path) for path in sorted((demo / folder).glob("*.json"))]
        kernel.write(artifact_type, lines, tenant="tenant_default")
    statement = load(latest / "SettlementStatement.v1.json")
    kernel.write("settlement_statements", [statement], tenant="tenant_default")
    export = (fixtures / "derived/oracle/x402_receipts_export.ndjson").read_bytes().splitlines()
    kernel.write("x402_receipts", export, tenant="tenant_default")
    kernel.sign(tenant="tenant_default")

    lineage = load(fixtures / "derived/oracle/kernel_holdback_lineage.json")
    for artifact_type, members in {
        "settlement_decisions": ["decisionRecord"],
        "settlement_receipts": ["settlementReceipt"],
        "funding_holds": ["fundingHold", "fundingHoldResolvedRefund"],
        "dispute_envelopes": ["disputeOpenEnvelope"],
        "arbitration_verdicts": ["arbitrationVerdictRefund"],
        "settlement_adjustments": ["settlementAdjustmentRefund"],
    }.items():
        lines = [lineage[member] for member in members]
        kernel.write(artifact_type, lines, tenant="tenant_vectors")
    kernel.sign(tenant="tenant_vectors")
    warehouse.land()
    return warehouse


def test_everything_verifies_and_nothing_is_refused(real: Warehouse) -> None:
    assert real.quarantine() == []
    assert {row["manifest_status"] for row in real.rows("export_manifests")} == {"trusted"}
    verdicts = real.rows("artifact_verdicts")
    assert {row["verdict"] for row in verdicts} == {"verified", "unhashed"}
    unhashed = {row["artifact_type"] for row in verdicts if row["verdict"] == "unhashed"}
    assert unhashed == {"x402_receipts"}


def test_the_8463_payout_lands_with_its_statement_and_ledger(real: Warehouse) -> None:
    (instruction,) = real.rows("payout_instructions")
    assert (instruction["amount_cents"], instruction["currency"]) == (8463, "USD")
    statements = {row["artifact_hash"]: row for row in real.rows("party_statements")}
    statement = statements[instruction["statement_hash"]]
    assert (statement["payout_cents"], statement["balance_delta_cents"]) == (8463, -8463)
    assert sum(row["balance_delta_cents"] for row in statements.values()) == 0
    lines = real.rows("gl_lines")
    assert (len(lines), sum(line["amount_cents"] for line in lines)) == (8, 0)
    assert sum(line["amount_cents"] for line in lines if line["amount_cents"] > 0) == 22950


def test_statement_totals_are_the_ledgers_by_party_and_account(real: Warehouse) -> None:
    ledger: dict[tuple[str, str], int] = {}
    for line in real.rows("gl_lines"):
        key = line["party_id"], line["ledger_account_id"]
        ledger[key] = ledger.get(key, 0) + line["amount_cents"]
    stated = {
        (row["party_id"], row["ledger_account_id"]): row["amount_cents"]
        for row in real.rows("party_statement_totals")
    }
    assert len(stated) == 7
    assert stated == ledger
    entries = {row["entry_id"] for row in real.rows("party_statement_entries")}
    assert entries == {line["entry_id"] for line in real.rows("gl_lines")}
    booked = {row["ledger_entry_id"] for row in real.rows("settlement_statement_entries")}
    assert booked < entries


def test_the_x402_export_lands_as_receipts_and_decisions(real: Warehouse) -> None:
    receipts = [r for r in real.rows("settlement_receipts") if r["origin"] == "x402"]
    amounts = {
        (r["amount_cents"], r["released_amount_cents"], r["refunded_amount_cents"])
        for r in receipts
    }
    assert amounts == {(1251, 625, 626), (1000, 800, 200), (1000, 0, 800)}
    refunded = {r["receipt_id"]: r for r in real.rows("x402_receipts")}
    tied = [r for r in receipts if r["run_id"] == "x402_gate_hb"]
    assert len(tied) == 2, "the original receipt and the refund's, of one run"
    original = next(r for r in tied if r["released_amount_cents"] == 800)
    assert original["status"] == "released"
    assert refunded[original["receipt_id"]]["settlement_state"] == "refunded"
    assert len(real.rows("x402_reversal_events")) == 2


def test_the_holdback_lands_in_both_revisions(real: Warehouse) -> None:
    holds = real.rows("funding_holds")
    assert [(h["status"], h["revision"], h["held_amount_cents"]) for h in holds] == [
        ("held", 0, 2000),
        ("refunded", 1, 2000),
    ]
    assert len({h["hold_hash"] for h in holds}) == 1
    (adjustment,) = real.rows("settlement_adjustments")
    assert (adjustment["kind"], adjustment["amount_cents"]) == ("holdback_refund", 2000)
    assert adjustment["hold_hash"] == holds[0]["hold_hash"]


def test_landing_it_again_changes_nothing(real: Warehouse) -> None:
    sizes = real.sizes()
    assert real.land().rows_landed == 0
    assert real.sizes() == sizes


def test_the_tampered_x402_vector_lands_with_a_true_receipt(
    kernel: Kernel, warehouse: Warehouse, fixtures: Path
) -> None:
    vectors = fixtures / "repo/test/fixtures/x402-receipt-verifier"
    record = load(vectors / "vector-tampered-response.json")
    kernel.write("x402_receipts", [record], tenant=record["tenantId"])
    warehouse.land()
    (receipt,) = warehouse.rows("settlement_receipts")
    assert (receipt["verdict"], receipt["amount_cents"]) == ("verified", 500)
