"""Every scenario's tables follow from the tenant's own inputs: what is not replayed is not true."""

from __future__ import annotations

import duckdb
import pytest

from dagster_project import issuing
from dagster_project.manifest import Manifest
from dagster_project.marts import Marts
from dagster_project.replaying import TenantReplay
from evidence import findings, replay
from evidence.content import whole
from evidence.tables import scan_table, write_table


def test_every_input_has_a_rule_for_whose_rows_a_packet_carries(scenarios) -> None:
    nodes = Manifest.load(scenarios.home).nodes().values()
    columns = {
        name: set(scenarios.connection.table(f"work.staging.{name}").columns)
        for name in (node.name for node in nodes if node.replay == "rows")
    }
    loose = [n for n, found in columns.items() if not found & {"tenant_id", "account_id"}]
    # Rows of neither a tenant nor an account may only be read by what no packet holds.
    assert set(loose) <= {"stg_stripe__accounts", "stg_tieout__run_log"}


def test_every_statement_between_inputs_and_tables_is_one_that_replay_allows(
    scenarios, tmp_path
) -> None:
    """A model that needs another function names it here, before packets lose their inputs."""
    home = scenarios.home
    with Marts(home.warehouse / "warehouse.duckdb") as marts:
        names = issuing.packet_tables(marts)
    with (
        TenantReplay(home, "nobody", names, tmp_path / "inputs") as carried,
        duckdb.connect() as db,
    ):
        written = carried.written()
        known = set(written.plan.inputs)
        for relation, name in written.plan.steps.items():
            replay.check_sql(db, whole(written.files[name], 1 << 20).decode(), known, name)
            known.add(relation)
    assert len(known) > 50


@pytest.mark.slow
def test_tables_of_every_scenario_follow_from_the_tenants_own_inputs(scenarios, tmp_path) -> None:
    home = scenarios.home
    periods: dict[str, set[str]] = {}
    for row in scenarios.rows(findings.RUNS):
        if row["tenant_id"] != issuing.PLATFORM_TENANT:
            periods.setdefault(row["tenant_id"], set()).add(row["period"])
    assert len(periods) > 30
    with Marts(home.warehouse / "warehouse.duckdb") as marts:
        names = issuing.packet_tables(marts)
        for tenant, months in periods.items():
            with TenantReplay(home, tenant, names, tmp_path / tenant) as carried:
                written = carried.written()
                with replay.computed(written.files, written.plan) as again:
                    for month in months:
                        rows = issuing.tables_of(home, marts, tenant, month)
                        files = {
                            f"tables/{name}.ndjson": b"".join(write_table(name, table, 1 << 30))
                            for name, table in rows.items()
                        }
                        entries = {
                            name: scan_table(name, files[f"tables/{name}.ndjson"], table.key)
                            for name, table in rows.items()
                        }
                        again.compare(tenant, month, entries, files)
