"""A simulated rail, a home, and a pull with settings that suit a test.

Belongs here: serving, pulling, reading back. Does not belong here: assertions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from ingest.coverage import CoverageRow
from ingest.landing import Landing
from ingest.limits import ReadLimits
from ingest.simulator.http import Server, serve
from ingest.simulator.rail import Rail
from ingest.stripe.client import PullResult, pull_stripe

KEY = "sk_test_51TieoutTieoutTieoutTieout"
FAST = ReadLimits(per_second=100_000.0, overall_per_second=100_000.0)
START = datetime(2026, 1, 10, 9, 0, tzinfo=UTC)


@dataclass
class Desk:
    """A rail, its server and a home to pull it into.

    Attributes:
        now: What time the rail and the next pull have.
        slept: Seconds that pulls were told to wait between attempts, without waiting.
    """

    home: Path
    now: datetime = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rail = Rail(clock=lambda: self.now)
        self.server: Server = serve(self.rail, api_key=KEY)
        self.landing = Landing(self.home)

    def pull(self, *, limits: dict[str, Any] | None = None, **over: Any) -> PullResult:
        """Pulls once, a minute later than the last time; `limits` replace those of a test."""
        self.now += timedelta(minutes=1)
        settings: dict[str, Any] = {
            "home": self.home,
            "api_key": KEY,
            "api_base": self.server.url,
            "accounts": [],
            "now": self.now,
            "landing": self.landing,
            "limits": replace(FAST, **(limits or {})),
            "sleep": self.slept.append,
        }
        return pull_stripe(**settings | over)

    def landed(self, table: str, names: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
        """Rows on disk, found as a stranger would find them."""
        folder = str(self.home / "landing" / "stripe" / table).replace("[", "[[]")
        with duckdb.connect() as db:
            # A path that holds a quote can only be passed as a parameter.
            return db.execute(
                f"select {names} from read_parquet($path, union_by_name = true) "
                f"where {where} order by all",
                {"path": f"{folder}/*.parquet"},
            ).fetchall()

    def reads(self, path: str, account: str | None = None) -> int:
        """How often a path was asked for, over all accounts or for one."""
        return sum(
            call.path == path and account in {None, call.account} for call in self.server.calls
        )


def slice_of(result: PullResult, endpoint: str, account: str | None = None) -> CoverageRow:
    """The only coverage row of an endpoint in a pull, of the platform unless one is named."""
    found = [
        row
        for row in result.slices
        if row.endpoint == endpoint and (row.account_id == account if account else row.is_platform)
    ]
    assert len(found) == 1, [(row.account_id, row.slice_from) for row in found]
    return found[0]
