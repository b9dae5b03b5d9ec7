"""A home with landed rows of many small tenants, and one warehouse build over it.

Belongs here: turning artifacts and rail objects into landed batches, and running the gate models
once. Does not belong here: what any tenant looks like, and what the tables must then say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from dagster_project.building import parsed_project
from dagster_project.carrying import attach_work
from dagster_project.home import prepare_home
from dagster_project.sources import all_specs
from ingest.kernel.artifacts import EXPORTED
from ingest.kernel.rows import rows_of
from ingest.kernel.tables import Place
from ingest.landing import Landing, new_batch_id

__all__ = ["AS_OF", "PLANTS", "PLATFORM", "World", "build", "planted", "read"]

DBT = Path(__file__).resolve().parents[2] / "dbt"
AS_OF = datetime(2026, 4, 15, 12, 0, tzinfo=UTC)
CLOSED_AT = datetime(2026, 4, 2, 1, 0, tzinfo=UTC)
PLATFORM = "acct_platform"
BUILT = (
    "+int_balance_identities "
    "+payout_gates +payout_sources +control_history +daily_mismatches "
    "+chargeback_exposure +exposure_rollforward "
    "+payout_submissions +payout_gate_history +overrides +write_offs +period_figures "
    "+mismatch_triage +period_certifications +restatements +reconciliation_runs "
    "+open_item_rollforward"
)
# The row rules of other folders are run where those folders are tested.
UNTESTED = (
    "resource_type:test,path:models/staging "
    "resource_type:test,path:models/intermediate/reconciliation "
    "resource_type:test,path:models/marts/reconciliation"
)


# Every collected module adds the tenants it asserts on; one build serves them all.
PLANTS: list[Callable[[World], None]] = []


def planted(plant: Callable[[World], None]) -> Callable[[World], None]:
    """Registers a function that adds tenants to the world of the session's one build."""
    PLANTS.append(plant)
    return plant


@dataclass(frozen=True)
class _Stated:
    """An artifact whose verdict the test states: the hash rules are another area's tests."""

    value: dict[str, Any]
    verdict: str
    code: str | None = None
    expected: str | None = None
    got: str | None = None
    inside: Mapping[str, Any] = field(default_factory=dict)
    signature: str | None = None

    @property
    def canonical(self) -> str:
        return json.dumps(self.value, sort_keys=True)


@dataclass
class World:
    """Landed rows by table name, filled by tenants and written as one batch a table."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def artifact(
        self,
        table: str,
        tenant_id: str,
        body: Mapping[str, Any],
        *,
        verdict: str = "verified",
        is_vouched: bool = True,
    ) -> None:
        """One exported artifact, read by the same fields as a real export line."""
        stated = _Stated({"tenantId": tenant_id, **body}, verdict)
        place = Place(tenant_id, f"{tenant_id}/{table}.jsonl", len(self.rows) + 1)
        for landed, row in rows_of(EXPORTED[table], stated, place):
            self.rows[f"kernel/{landed}"].append(row | {"is_vouched": is_vouched})

    def rail(self, table: str, *, account_id: str = PLATFORM, **values: Any) -> None:
        """One landed rail object, on the platform unless an account is named."""
        row = {"account_id": account_id, "is_platform": account_id == PLATFORM, **values}
        self.rows[f"stripe/{table}"].append(row)

    def own(self, table: str, **values: Any) -> None:
        """One row of a table that Tieout writes about itself."""
        self.rows[f"tieout/{table}"].append(values)

    def kernel_row(self, table: str, **values: Any) -> None:
        """One landed kernel row that is no artifact, such as a manifest."""
        self.rows[f"kernel/{table}"].append(values)

    def land(self, home: Path, received_at: datetime) -> None:
        """Writes every table and pins it for the run `gates`."""
        landing = Landing(home)
        specs = {spec.name: spec for spec in all_specs()}
        landing.ensure_schema(specs.values())
        batch_id = new_batch_id(received_at, "gates")
        for name, rows in sorted(self.rows.items()):
            spec = specs[name]
            known = {column.name for column in spec.columns}
            shaped = [{key: row[key] for key in row if key in known} for row in rows]
            landing.write(spec, shaped, batch_id=batch_id, received_at=received_at)
        landing.pin(run_id="gates", known_at=received_at)


def build(home: Path, world: World, *, as_of: datetime = AS_OF) -> Path:
    """Lands the world, builds the gate models once and returns the warehouse file.

    Raises:
        AssertionError: A model failed or a row rule did not hold.
    """
    # That a month is closed was known when it was.
    closes = World()
    closes.rows["kernel/month_closes"] = world.rows.pop("kernel/month_closes", [])
    closes.land(home, CLOSED_AT)
    world.land(home, as_of - timedelta(minutes=5))
    (home / "warehouse").mkdir()
    stamp = f"{as_of:%Y-%m-%d %H:%M:%S}"
    parameters = {"run_id": "gates", "as_of": stamp, "known_at": stamp, "home_mode": "test"}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TIEOUT_HOME", str(home))
        environment.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        try:
            outcome = dbtRunner(manifest=parsed_project(prepare_home(home))).invoke(
                [
                    "build",
                    "--quiet",
                    *("--project-dir", str(DBT), "--profiles-dir", str(DBT)),
                    *("--target-path", str(home / "target"), "--log-path", str(home / "logs")),
                    *("--select", *BUILT.split()),
                    *("--exclude", *UNTESTED.split(), "--indirect-selection", "cautious"),
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
        if result.status not in {"success", "pass", "skipped"}
    ]
    assert not failed, failed
    assert outcome.success, outcome.exception
    return home / "warehouse"


def read(warehouse: Path, query: str, parameters: Iterable[object] = ()) -> list[dict[str, Any]]:
    """Rows of a query over the built warehouse, public tables first, by column name."""
    with duckdb.connect(str(warehouse / "warehouse.duckdb"), read_only=True) as connection:
        attach_work(connection, warehouse)
        cursor = connection.execute(query, list(parameters))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
