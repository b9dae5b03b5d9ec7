"""What a run left behind, as an operator looks at it: `tieout status`, `drift` and `gates`.

Belongs here: the commands that only read the published file. Does not belong here: running anything
(`cli.py`), or what the rows say (`views.py`).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dagster_project import views
from dagster_project.backtesting import MAX_RUNS
from dagster_project.cli_backtest import try_policy
from dagster_project.home import Home, prepare_home
from dagster_project.marts import Marts
from dagster_project.narration import EXIT_FOUND, EXIT_OK, answer, money, out, table
from dagster_project.screen import show_overview
from dagster_project.settings import home_of, read_budget
from ingest.errors import SettingError

__all__ = ["add_views", "is_incomplete", "newest_payments"]

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
TenantId = Annotated[str | None, typer.Option("--tenant-id", help="Only this tenant.")]


def add_views(app: typer.Typer, panel: str) -> None:
    """Adds the commands of this module under a heading of the help."""
    for command in (status, drift, gates):
        app.command(rich_help_panel=panel)(command)


def newest_payments(home: Home) -> list[dict[str, Any]]:
    """The newest attempt of each payout, as published."""
    with Marts.published(home) as marts:
        if "payout_submissions" not in marts.names():
            return []
        rows = sorted(marts.rows("payout_submissions"), key=lambda row: row["attempt"])
        return list({row["payout_key"]: row for row in rows}.values())


def is_incomplete(view: views.Overview) -> bool:
    return any(row["verdict"] == "incomplete" for row in view.verdicts)


def _print_drift(rows: list[dict[str, Any]]) -> None:
    heads = ("tenant", "period", "outcome", "reason", "expected", "actual", "drift", "break")
    cells = [
        (
            row["tenant_id"],
            row["period"],
            row["outcome"],
            row["reason_code"],
            *(
                # The drift beside them says the currency.
                money(row[cents], row["currency"]).removesuffix(f" {row['currency']}")
                for cents in ("expected_cents", "actual_cents")
            ),
            money(row["drift_cents"], row["currency"]),
            row["break_id"],
        )
        for row in rows
    ]
    out.print(table("Drift (expected less actual)", heads, cells))
    said = [(row["break_id"], row["explanation"]) for row in rows if row["outcome"] == "break"]
    if said:
        out.print(table("\nBreaks", ("break", "what it is, and what to do"), said))


def status(as_json: Json = False) -> None:
    """Show the published run: verdicts, breaks, gates."""
    home = _home()
    view = views.overview(home)
    payments = newest_payments(home)
    used, budget = views.reads_this_month(home), read_budget(os.environ)
    left = None if budget is None else max(0, budget - used)
    if as_json:
        reads = {"used": used, "budget": budget, "left": left}
        document = {**view.document(), "payments": payments, "mode": home.mode}
        answer({**document, "reads_this_month": reads})
    else:
        show_overview(out, view, payments)
        age = datetime.now(UTC) - view.as_of
        out.print(
            f"home {home.root} ({home.mode}); published {age.total_seconds() // 60:.0f} min ago"
        )
        of_budget = "no budget set" if budget is None else f"{left:,} of {budget:,} left"
        out.print(f"rail reads this month: {used:,}; {of_budget}")
    raise typer.Exit(EXIT_FOUND if view.breaks or is_incomplete(view) else EXIT_OK)


def drift(
    tenant_id: TenantId = None,
    period: Annotated[str | None, typer.Option("--period", help="Only this month.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only this code.")] = None,
    as_json: Json = False,
) -> None:
    """List breaks and pending items, most urgent first."""
    rows = views.drift(_home(), tenant_id=tenant_id, period=period, reason=reason)
    if as_json:
        answer(rows)
    else:
        _print_drift(rows)
    raise typer.Exit(EXIT_FOUND if any(row["outcome"] == "break" for row in rows) else EXIT_OK)


def gates(
    tenant_id: TenantId = None,
    policy: Annotated[
        Path | None,
        typer.Option("--what-if", metavar="FILE", help="Try this policy on past runs."),
    ] = None,
    runs: Annotated[
        int,
        typer.Option("--runs", min=1, max=MAX_RUNS, help="With --what-if: so many days' runs."),
    ] = 7,
    as_json: Json = False,
) -> None:
    """List payout gates: what is released, and what holds the rest; or back-test a policy."""
    if policy is not None:
        try_policy(policy, tenant_id, runs, as_json)
        return
    rows = views.gates(_home(), tenant_id=tenant_id)
    if as_json:
        answer(rows)
        return
    heads = ("tenant", "party", "period", "gross", "release", "decision", "held by", "payout")
    cells = [
        (
            row["tenant_id"],
            row["party_id"],
            row["period"],
            money(row["gross_cents"], row["currency"]),
            money(row["release_cents"], row["currency"]),
            row["decision"],
            str(row["held_codes"] or "").replace(",", " "),
            row["payout_key"],
        )
        for row in rows
    ]
    out.print(table("Payout gates", heads, cells))


def _home() -> Home:
    root = home_of(os.environ)
    if not root.exists():
        raise SettingError(
            got=f"no home at {root}",
            expected="the folder of an earlier run",
            remedy="Run `tieout demo` or `tieout run` first, or set TIEOUT_HOME",
            code="home_missing",
        )
    return prepare_home(root)
