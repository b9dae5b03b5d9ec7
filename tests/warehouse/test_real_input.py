"""The job on data nobody here invented: the kernel's own artifacts and Stripe's own objects.

Belongs here: arranging those files as an export and as a rail's answers, and what must come out
and why. Does not belong here: worlds of the simulator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project import building
from dagster_project.home import prepare_home
from dagster_project.runs import Run
from dagster_project.sources import all_specs
from evidence.artifacts import KernelArtifacts
from ingest.kernel.exports import land_kernel
from ingest.landing import Landing
from ingest.limits import ReadLimits
from ingest.simulator.http import serve
from ingest.simulator.rail import Rail
from ingest.stripe.client import pull_stripe

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PAYOUT_KEY = (
    "tenant_default:party:pty_operator:period:2026-01:statement:"
    "dc64fe38404ff8c6005c4d91e5a2c562b343d04ccaff14081c0acfb41aa9e956"
)
# The fixture objects that are rows of the lists we read; the others are parts or other products.
STRIPE_KINDS = (
    "account",
    "balance_transaction",
    "transfer",
    "transfer_reversal",
    "charge",
    "refund",
    "dispute",
    "payout",
    "application_fee",
    "topup",
)


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(folder: Path, artifact_type: str, artifacts: list[Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(artifact, separators=(",", ":"), ensure_ascii=False) for artifact in artifacts
    ]
    (folder / f"{artifact_type}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def arrange_exports(shared: Path, root: Path) -> None:
    """Real artifacts, one a line, in the layout of an export, without a manifest."""
    fixtures = shared / "kernel_fixtures"
    finance = fixtures / "derived" / "finance_demo" / "month" / "artifacts"
    demo = fixtures / "repo" / "dashboard" / "public" / "demo" / "finance" / "latest"
    sample = _load(fixtures / "samples" / "kernel_receipt.json")
    lineage = _load(fixtures / "derived" / "oracle" / "kernel_holdback_lineage.json")

    default = root / "tenant_default"
    _write(default, "settlement_receipts", [sample["settlementReceipt"]])
    _write(default, "settlement_decisions", [sample["decisionRecord"]])
    _write(
        default,
        "settlement_adjustments",
        [_load(fixtures / "samples" / "settlement_adjustment.json")],
    )
    for artifact_type, name in (
        ("party_statements", "PartyStatement.v1"),
        ("payout_instructions", "PayoutInstruction.v1"),
        ("gl_batches", "GLBatch.v1"),
    ):
        _write(
            default,
            artifact_type,
            [_load(path) for path in sorted((finance / name).glob("*.json"))],
        )
    _write(default, "settlement_statements", [_load(demo / "SettlementStatement.v1.json")])
    export = fixtures / "derived" / "oracle" / "x402_receipts_export.ndjson"
    (default / "x402_receipts.jsonl").write_bytes(export.read_bytes())

    vectors = root / "tenant_vectors"
    _write(vectors, "settlement_receipts", [lineage["settlementReceipt"]])
    _write(vectors, "settlement_decisions", [lineage["decisionRecord"]])
    _write(vectors, "funding_holds", [lineage["fundingHold"], lineage["fundingHoldResolvedRefund"]])
    _write(vectors, "settlement_adjustments", [lineage["settlementAdjustmentRefund"]])
    _write(vectors, "arbitration_verdicts", [lineage["arbitrationVerdictRefund"]])
    _write(vectors, "dispute_envelopes", [lineage["disputeOpenEnvelope"]])


class RealInput:
    """The tables that came out."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        cursor = self._connection.execute(f"select * from {table}")
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return [row for row in rows if all(row[name] == value for name, value in where.items())]


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealInput]:
    """The whole job over the real files."""
    root = tmp_path_factory.mktemp("real")
    home = prepare_home(root)
    arrange_exports(shared, root / "exports")
    resources = _load(shared / "stripe" / "fixtures.json")["resources"]
    rail = Rail(clock=lambda: NOW)
    for kind in STRIPE_KINDS:
        rail.put_object(kind, resources[kind])
    landing = Landing(root)
    landing.ensure_schema(all_specs())
    with serve(rail) as server:
        pulled = pull_stripe(
            home=root,
            api_key="sk_test_tieout",
            api_base=server.url,
            accounts=(),
            now=NOW,
            landing=landing,
            limits=ReadLimits(per_second=1_000, overall_per_second=1_000),
        )
    incomplete = [part for part in pulled.slices if part.status != "complete"]
    assert [(p.endpoint, p.status, p.error_code, p.error_detail) for p in incomplete] == []
    land_kernel(
        root=str(root / "exports"),
        landing=landing,
        verifier=KernelArtifacts(),
        trusted_keys={},
        now=NOW,
    )
    landing.pin(run_id="real", known_at=NOW)
    building.build(home, Run("real", as_of=NOW, known_at=NOW, started_at=NOW)).require_good()
    connection = duckdb.connect(str(home.warehouse / "warehouse.duckdb"), read_only=True)
    yield RealInput(connection)
    connection.close()


def test_every_real_artifact_verifies(real: RealInput) -> None:
    verdicts = real.rows("artifact_verdicts")
    assert len(verdicts) >= 20
    assert [row for row in verdicts if row["verdict"] not in ("verified", "unhashed")] == []


def test_the_real_payout_of_8463_cents_is_a_break_because_the_rail_never_paid_it(
    real: RealInput,
) -> None:
    (row,) = real.rows("reconciliation_drift", tenant_id="tenant_default")
    assert row["reason_code"] == "MISSING_EXTERNAL"
    assert (row["expected_cents"], row["actual_cents"], row["drift_cents"]) == (8463, 0, 8463)
    assert (row["payout_key"], row["party_id"], row["period"]) == (
        PAYOUT_KEY,
        "pty_operator",
        "2026-01",
    )


def test_the_real_month_maps_at_level_ledger_and_its_verdict_is_breaks(real: RealInput) -> None:
    (row,) = real.rows("reconciliation_runs", tenant_id="tenant_default", period="2026-01")
    assert (row["verdict"], row["mapping_level"], row["receipt_mapped_bps"]) == (
        "breaks",
        "ledger",
        0,
    )
    assert (row["gross_cents"], row["unexplained_cents"], row["explained_bps"]) == (8463, 8463, 0)


def test_the_real_ledger_ties_out_with_its_statements_and_payout(real: RealInput) -> None:
    ties = real.rows("tie_outs", tenant_id="tenant_default", period="2026-01")
    count = {
        name: len([row for row in ties if row["tie_out"] == name])
        for name in {row["tie_out"] for row in ties}
    }
    assert count == {
        "ledger_entry_is_zero": 3,
        "ledger_equals_statement": 7,
        "payout_equals_statement": 1,
    }
    assert all(row["holds"] for row in ties)


def test_the_real_payout_is_held_without_a_signed_manifest(real: RealInput) -> None:
    (row,) = real.rows("payout_gates", tenant_id="tenant_default")
    assert (row["decision"], row["gross_cents"]) == ("hold", 8463)
    assert "EVIDENCE_UNVERIFIED" in row["held_codes"]


def test_the_real_balance_transaction_belongs_to_the_platform_and_has_no_receipt(
    real: RealInput,
) -> None:
    (movement,) = real.rows("money_movements")
    assert (movement["tenant_id"], movement["amount_cents"], movement["currency"]) == (
        "_platform",
        100,
        "USD",
    )
    assert (movement["outcome"], movement["reason_code"]) == ("break", "MISSING_INTERNAL")
    (row,) = real.rows("reconciliation_runs", tenant_id="_platform")
    assert (row["verdict"], row["mapping_level"]) == ("breaks", "none")


def test_the_real_transfer_without_its_own_balance_transaction_does_not_tie_out(
    real: RealInput,
) -> None:
    (tie,) = real.rows("tie_outs", tie_out="transfer_equals_movement")
    assert (tie["left_cents"], tie["right_cents"], tie["holds"]) == (1100, 0, False)


def test_every_real_bridge_ends_at_nought(real: RealInput) -> None:
    residuals = real.rows("reconciliation_bridge", line_code="residual")
    assert {row["amount_cents"] for row in residuals} == {0}
