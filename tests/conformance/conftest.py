"""Recorded cases of the original as tenants of one export, built once and asked by command.

Belongs here: the session's build and typing a command. Does not belong here: what the original
answered.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from dagster_project.building import parsed_project
from dagster_project.home import prepare_home
from dagster_project.sources import all_specs
from evidence.artifacts import KernelArtifacts
from ingest.kernel.exports import land_kernel
from ingest.landing import Landing
from tests.conformance.exported import PLANTS, Exports
from tests.wiring.conftest import Answer, type_command

DBT = Path(__file__).resolve().parents[2] / "dbt"
AS_OF = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
BUILT = (
    "+kernel_reconcile_summaries",
    "+kernel_reconcile_mismatches",
    "+kernel_chargebacks",
    "+billing_charges",
    "+billing_estimates",
)


class Desk:
    """A published home and a way to ask it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._reports: dict[str, list[dict[str, Any]]] = {}

    def ask(self, *arguments: str) -> Answer:
        """What one command of the `tieout` line says of this home."""
        return type_command(self.home, *arguments)

    def all(self, report: str) -> list[dict[str, Any]]:
        """Every report of one kind, asked for once by command."""
        if report not in self._reports:
            answer = self.ask("kernel-report", report, "--all", "--format", "jsonl")
            # One tenant's sum is beyond what any report can say, and stops no other report.
            others = [line for line in answer.err.splitlines() if "t_beyond" not in line]
            assert others == [], answer
            self._reports[report] = [json.loads(line) for line in answer.out.splitlines()]
        return self._reports[report]

    def one(self, report: str, tenant: str, **equal: Any) -> dict[str, Any]:
        """The only report of a tenant whose members equal the given values."""
        (found,) = [
            said
            for said in self.all(report)
            if said["tenantId"] == tenant and all(said[name] == equal[name] for name in equal)
        ]
        return found


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The home in which all planted tenants are landed, built and published."""
    root = tmp_path_factory.mktemp("conformance")
    exports: Exports = defaultdict(list)
    for plant in PLANTS:
        plant(exports)
    _write(root / "exports", exports)
    home = prepare_home(root / "home")
    landing = Landing(home.root)
    landing.ensure_schema(all_specs())
    land_kernel(
        root=str(root / "exports"),
        landing=landing,
        verifier=KernelArtifacts(),
        trusted_keys={},
        now=AS_OF,
    )
    landing.pin(run_id="conformance", known_at=AS_OF)
    _build(home.root, BUILT)
    shutil.copyfile(home.warehouse / "warehouse.duckdb", home.published / "tieout-c.duckdb")
    home.current.symlink_to("tieout-c.duckdb")
    return Desk(home.root)


def _write(root: Path, exports: Exports) -> None:
    for (tenant, kind), lines in exports.items():
        (root / tenant).mkdir(parents=True, exist_ok=True)
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        (root / tenant / f"{kind}.jsonl").write_text(text)


def _build(home: Path, models: Iterable[str]) -> None:
    stamp = f"{AS_OF:%Y-%m-%d %H:%M:%S}"
    parameters = {
        "run_id": "conformance",
        "as_of": stamp,
        "known_at": stamp,
        "home_mode": "test",
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TIEOUT_HOME", str(home))
        try:
            outcome = dbtRunner(manifest=parsed_project(prepare_home(home))).invoke(
                [
                    "build",
                    "--quiet",
                    *("--project-dir", str(DBT), "--profiles-dir", str(DBT)),
                    *("--target-path", str(home / "target"), "--log-path", str(home / "logs")),
                    *("--select", *models, "--indirect-selection", "cautious"),
                    *("--exclude-resource-type", "unit_test"),
                    *("--vars", json.dumps(parameters)),
                ]
            )
        finally:
            # dbt keeps the files open, and nobody else could read them.
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    failed = [
        f"{result.node.name}: {result.message}"
        for result in getattr(outcome.result, "results", [])
        if result.status not in {"success", "pass"}
    ]
    assert not failed, failed
    assert outcome.success, outcome.exception
