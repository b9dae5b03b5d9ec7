"""One build for all scenarios: a world with a tenant a scenario, pulled over HTTP and built once.

Belongs here: the session's only dbt build of the scenarios, and reading its tables.
Does not belong here: what any scenario must come to; its truth is planted beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project import building
from dagster_project.carrying import attach_work
from dagster_project.home import Home, prepare_home
from dagster_project.runs import Run
from dagster_project.sources import all_specs
from evidence.artifacts import KernelArtifacts
from ingest.kernel.exports import land_kernel
from ingest.kernel.verify import load_kernel_trust
from ingest.landing import Landing
from ingest.limits import ReadLimits
from ingest.simulator.http import serve
from ingest.simulator.scenarios import SCENARIOS
from ingest.simulator.world import World, build_scenarios
from ingest.stripe.client import pull_stripe
from tests.warehouse.real_world import RealInput, build_real
from tests.warehouse.signing import export_key, write_trust

ANCHOR = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = ReadLimits(per_second=10_000, overall_per_second=10_000)
SHARED = Path(__file__).resolve().parents[3] / "shared"


@dataclass(frozen=True)
class Built:
    """A built warehouse and the world it was built from."""

    world: World
    home: Home
    connection: duckdb.DuckDBPyConnection

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a public table."""
        cursor = self.connection.execute(f"select * from {table}")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def build_world(world: World, root: Path, *, now: datetime, run_id: str = "test") -> Built:
    """Pulls a world over real HTTP, lands its exports and builds the warehouse.

    Args:
        world: The planted world.
        root: An empty folder for the home.
        now: The time of the pull and the run's as_of.
        run_id: The run's id.
    """
    home = prepare_home(root)
    key = export_key()
    world.write_exports(root / "exports", key)
    landing = Landing(root)
    landing.ensure_schema(all_specs())
    with serve(world.rail) as server:
        pull_stripe(
            home=root,
            api_key="sk_test_tieout",
            api_base=server.url,
            accounts=(),
            now=now,
            landing=landing,
            limits=LIMITS,
        )
    land_kernel(
        root=str(root / "exports"),
        landing=landing,
        verifier=KernelArtifacts(),
        trusted_keys=load_kernel_trust(write_trust(root / "trust.json", key)),
        now=now,
    )
    landing.pin(run_id=run_id, known_at=now)
    # A build that opened the pins of another run would fail on this one.
    (root / "landing/tieout/pinned_batches/1-pin-other.parquet").write_bytes(b"never opened")
    run = Run(run_id=run_id, as_of=now, known_at=now, started_at=now)
    building.build(home, run, thorough=True).require_good()
    connection = duckdb.connect(os.fspath(home.warehouse / "warehouse.duckdb"), read_only=True)
    attach_work(connection, home.warehouse)
    return Built(world, home, connection)


@pytest.fixture(scope="session")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Every scenario as a tenant of one build."""
    world = build_scenarios(ANCHOR, list(SCENARIOS))
    built = build_world(world, tmp_path_factory.mktemp("scenarios"), now=ANCHOR)
    yield built
    built.connection.close()


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealInput]:
    """Hand-written tenants, and the kernel's and Stripe's own files where they are at hand."""
    there = SHARED if (SHARED / "kernel_fixtures").is_dir() else None
    built = build_real(tmp_path_factory.mktemp("real"), there)
    yield built
    built.connection.close()
