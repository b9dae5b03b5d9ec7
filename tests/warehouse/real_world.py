"""One export of the kernel's own artifacts and of tenants written by hand, built once.

Belongs here: arranging files as an export and as a rail's answers, the build, and reading its
tables. Does not belong here: what must come out, worlds of the simulator.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from dagster_project import building
from dagster_project.carrying import attach_work
from dagster_project.home import prepare_home
from dagster_project.runs import Run
from dagster_project.sources import all_specs
from evidence.artifacts import KernelArtifacts
from evidence.keys import public_key_pem
from ingest.kernel.exports import land_kernel
from ingest.landing import Landing
from ingest.limits import ReadLimits
from ingest.simulator.http import serve
from ingest.simulator.rail import Rail
from ingest.stripe.client import pull_stripe
from ingest.stripe.reports import import_report
from tests.kernel.conftest import Kernel
from tests.warehouse import kernel_cases, kernel_traps
from tests.warehouse.kernel_cases import REPORTED

NOW = datetime(2026, 11, 24, tzinfo=UTC)
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
    """The tables that came out; `work.` before a name reads what is not public."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of a table whose columns have these values."""
        cursor = self.connection.execute(f"select * from {table}")
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return [row for row in rows if all(row[name] == value for name, value in where.items())]

    def broken(self, tenant_id: str) -> set[tuple[str, str, str]]:
        """Artifact id, type and rule of what does not verify in a tenant's export."""
        return {
            (row["artifact_id"], row["artifact_type"], row["rule"])
            for row in self.rows("artifact_verdicts", tenant_id=tenant_id)
            if row["verdict"] in ("mismatch", "conflict")
        }


def _import_reports(root: Path, landing: Landing) -> None:
    """A report with a row that is refused for each of two accounts, made good for one of them."""
    header = (
        "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,"
        "reporting_category,source_id"
    )
    # A row without a time of its own, so that a report without any row spans as much.
    bad = "txn_1,never,never,usd,1.00,0.00,1.00,charge,ch_1\n"
    files = [(account, bad) for account in REPORTED.values()]
    files.append((REPORTED["t_mended"], ""))
    for number, (account, rows) in enumerate(files):
        path = root / "report.csv"
        path.write_text(f"{header}\n{rows}")
        import_report(
            path,
            report_type="balance_change_from_activity",
            landing=landing,
            now=NOW - timedelta(minutes=30 - number),
            account=account,
        )
        path.unlink()


def build_real(root: Path, shared: Path | None) -> RealInput:
    """Lands and builds the hand-written tenants, and the real files where they are at hand."""
    home = prepare_home(root)
    kernel = Kernel(root / "exports")
    kernel_cases.arrange(kernel)
    kernel_traps.arrange_traps(kernel)
    rail = Rail(clock=lambda: NOW)
    if shared is not None:
        arrange_exports(shared, root / "exports")
        resources = _load(shared / "stripe" / "fixtures.json")["resources"]
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
    _import_reports(root, landing)
    earlier = Kernel(root / "exports_earlier")
    kernel_cases.arrange_earlier(earlier)
    for exports, now in ((earlier.root, NOW - timedelta(hours=1)), (kernel.root, NOW)):
        land_kernel(
            root=str(exports),
            landing=landing,
            verifier=KernelArtifacts(),
            trusted_keys={kernel.signer.keyid: public_key_pem(kernel.signer.public_key).encode()},
            now=now,
        )
    landing.pin(run_id="real", known_at=NOW)
    building.build(
        home, Run("real", as_of=NOW, known_at=NOW, started_at=NOW), thorough=True
    ).require_good()
    connection = duckdb.connect(str(home.warehouse / "warehouse.duckdb"), read_only=True)
    attach_work(connection, home.warehouse)
    return RealInput(connection)
