"""A warehouse whose history came from reports first says what one built from lists alone says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.landing import Landing
from ingest.simulator.world import World, build_demo
from ingest.stripe.reports import import_report
from tests.warehouse.conftest import ANCHOR, Built, build_world

pytestmark = pytest.mark.slow

ACTIVITY = "balance_change_from_activity"
START = datetime(2020, 1, 1, tzinfo=UTC)
# What a report does not carry is left out of the comparison.
TABLES = {
    "reconciliation_runs": "tenant_id, period, currency, verdict, open_breaks, gross_cents",
    "reconciliation_bridge": "tenant_id, period, currency, line_code, amount_cents",
    "tie_outs": "tenant_id, tie_out, period, account_id, currency, left_cents, right_cents, holds",
    "money_movements": "tenant_id, movement_id, movement_type, outcome, reason_code, amount_cents,"
    " fee_cents, net_cents, currency, occurred_at, available_on",
    "reconciliation_drift": "tenant_id, outcome, reason_code, drift_cents, currency",
}


def imported(world: World, root: Path) -> int:
    """Lands the whole history from reports; how many rows that were."""
    landing, platform, landed = Landing(root), world.rail.platform_id, 0
    for kind in (ACTIVITY, f"connected_account_{ACTIVITY}"):
        path = root / "report.csv"
        path.write_text(world.rail.report(kind, start=START, end=ANCHOR))
        done = import_report(
            path,
            report_type=kind,
            landing=landing,
            now=ANCHOR - timedelta(minutes=1),
            platform=platform,
        )
        assert done.refused == 0
        landed += done.rows_landed
        path.unlink()
    return landed


def read(built: Built) -> dict[str, list[Any]]:
    found = {
        table: built.connection.execute(f"select {names} from {table} order by all").fetchall()
        for table, names in TABLES.items()
    }
    built.connection.close()
    return found


def test_reports_and_lists_build_the_same_warehouse(tmp_path: Path) -> None:
    def made(name: str, prepare: Callable[[World, Path], object]) -> dict[str, list[Any]]:
        world, root = build_demo(ANCHOR), tmp_path / name
        root.mkdir(mode=0o700)
        prepare(world, root)
        return read(build_world(world, root, now=ANCHOR))

    from_lists = made("lists", lambda world, root: None)
    landed: list[int] = []
    from_reports = made("reports", lambda world, root: landed.append(imported(world, root)))
    assert landed[0] > 100
    for table, rows in from_lists.items():
        assert rows, table
        assert from_reports[table] == rows, table
