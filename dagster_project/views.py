"""What commands tell about published marts: rows chosen and put side by side.

Belongs here: reading marts for a person or a program. Does not belong here: printing
(`narration.py`, `screen.py`), or computing a figure: sums and shares come from the marts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dagster_project.home import Home
from dagster_project.marts import Marts, Row
from dagster_project.narrowing import require_period, require_reason, require_tenant
from dagster_project.runs import last_published
from dagster_project.shelf import issued
from ingest.limits import Limiter

__all__ = ["Overview", "drift", "gates", "overview", "reads_this_month"]

MAX_ROWS: Final = 100_000
_RUNS: Final = "reconciliation_runs"
_DRIFT: Final = "reconciliation_drift"


@dataclass(frozen=True)
class Overview:
    """The published run at a glance; rows are the marts' own."""

    run_id: str
    as_of: datetime
    verdicts: list[Row]
    breaks: list[tuple[str, str, int, int]]
    gates: list[Row]
    unread: list[Row]
    packets: int

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "run_id": self.run_id,
            "as_of": self.as_of,
            "verdicts": self.verdicts,
            "breaks": [
                {"reason_code": code, "currency": currency, "count": count, "gross_cents": cents}
                for code, currency, count, cents in self.breaks
            ],
            "gates": self.gates,
            "unread_slices": self.unread,
            "packets": self.packets,
        }


def overview(home: Home) -> Overview:
    """The published run of a home.

    Raises:
        TieoutError: Nothing is published.
    """
    with Marts.published(home) as marts:
        run = last_published(home)
        assert run is not None  # a published file is never without its record
        counts: Counter[tuple[str, str]] = Counter()
        cents: Counter[tuple[str, str]] = Counter()
        for row in marts.rows(_DRIFT, outcome="break"):
            key = (str(row["reason_code"]), str(row["currency"]))
            counts[key] += 1
            cents[key] += abs(row["drift_cents"])
        return Overview(
            run_id=run.run_id,
            as_of=run.as_of,
            verdicts=_sorted(marts.rows(_RUNS), "tenant_id", "period", "currency"),
            breaks=[(*key, counts[key], cents[key]) for key in sorted(counts)],
            gates=_sorted(marts.rows("payout_gates"), "tenant_id", "period", "payout_key"),
            unread=_unread(marts),
            packets=len(issued(home)),
        )


def _unread(marts: Marts) -> list[Row]:
    """Slices that the newest pull of their source could not read to the end."""
    newest: dict[tuple[str, str], Row] = {}
    open_rows: list[Row] = []
    for row in marts.rows("source_coverage"):
        key = _reading(row)
        if key not in newest or row["started_at"] >= newest[key]["started_at"]:
            newest[key] = row
        if row["coverage_status"] not in ("complete", "departed"):
            open_rows.append(row)
    unread = [row for row in open_rows if row["pull_id"] == newest[_reading(row)]["pull_id"]]
    return _sorted(unread, "source", "tenant_id", "account_id", "endpoint", "slice_from")


def _reading(row: Row) -> tuple[str, str]:
    """What one pull reads: the rail as a whole, or the export of one tenant."""
    return row["source"], "" if row["source"] == "stripe" else row["tenant_id"]


def reads_this_month(home: Home) -> int:
    """Requests to the rail in the current calendar month, by every process of the home."""
    path = home.state / "limits.sqlite"
    if not path.exists():
        return 0
    limiter = Limiter(path)
    try:
        return limiter.used_this_month()
    finally:
        limiter.close()


def drift(
    home: Home, *, tenant_id: str | None, period: str | None, reason: str | None
) -> list[Row]:
    """Breaks and pending items, most urgent first.

    Raises:
        SettingError: There can be no such tenant, month or reason.
    """
    require_period(period)
    require_reason(reason)
    with Marts.published(home) as marts:
        require_tenant(marts, tenant_id)
        rows = marts.rows(_DRIFT, tenant_id=tenant_id, period=period, reason_code=reason)
        return _sorted(rows, "outcome", "priority", "tenant_id", "period", "break_id")


def gates(home: Home, *, tenant_id: str | None) -> list[Row]:
    """Payout gates with their decisions.

    Raises:
        SettingError: There is no such tenant.
    """
    with Marts.published(home) as marts:
        require_tenant(marts, tenant_id)
        rows = marts.rows("payout_gates", tenant_id=tenant_id)
        return _sorted(rows, "tenant_id", "period", "payout_key")


def _sorted(rows: Any, *columns: str) -> list[Row]:
    kept: list[Row] = []
    for row in rows:
        if len(kept) >= MAX_ROWS:
            break
        kept.append(row)
    return sorted(kept, key=lambda row: tuple((row[c] is None, row[c] or "") for c in columns))
