"""The `tieout` command: what an operator types.

Belongs here: commands and their options. Does not belong here: the work (`pipeline.py` and its
neighbours), how answers look (`narration.py`, `screen.py`), or reading secrets from arguments.

Exit codes: 0 as expected, 1 drift found or something refused, 2 misuse.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dagster_project import views
from dagster_project.backtesting import MAX_RUNS
from dagster_project.cli_audit import audit_app
from dagster_project.cli_backtest import try_policy
from dagster_project.cli_certify import certify_app
from dagster_project.cli_controls import controls_app
from dagster_project.cli_departures import departures_app
from dagster_project.cli_drill import drill_app
from dagster_project.cli_explain import explain
from dagster_project.cli_imports import add_imports
from dagster_project.cli_keys import keys_app
from dagster_project.cli_overrides import override_app, write_off_app
from dagster_project.cli_packets import packet_app
from dagster_project.cli_reports import reports_app
from dagster_project.cli_tools import add_tools, simulator_app
from dagster_project.cli_triage import triage_app
from dagster_project.cli_webhooks import webhooks_app
from dagster_project.home import Home, open_home, prepare_home
from dagster_project.marts import Marts
from dagster_project.narration import (
    EXIT_FOUND,
    EXIT_MISUSE,
    EXIT_OK,
    answer,
    err,
    explain_error,
    money,
    narrated,
    out,
    table,
)
from dagster_project.runs import Run
from dagster_project.screen import show_overview, show_where
from dagster_project.session import Session
from dagster_project.settings import Settings, home_of, read_budget
from ingest.errors import SettingError

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="tieout",
    help="Payments reconciliation: every cent ties out to a receipt, or says why not.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(packet_app, name="packet")
app.add_typer(controls_app, name="controls")
app.add_typer(reports_app, name="kernel-report")
app.add_typer(drill_app, name="drill")
app.add_typer(override_app, name="override")
app.add_typer(write_off_app, name="write-off")
app.add_typer(triage_app, name="triage")
app.add_typer(certify_app, name="certify")
app.add_typer(departures_app, name="departures")
app.add_typer(audit_app, name="audit")
app.add_typer(keys_app, name="keys")
app.add_typer(simulator_app, name="simulator")
app.add_typer(webhooks_app, name="webhooks")
add_tools(app)
app.command()(explain)
add_imports(app)

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
TenantId = Annotated[str | None, typer.Option("--tenant-id", help="Only this tenant.")]


def run_app() -> None:
    """Runs the command line; every error becomes one paragraph and an exit code."""
    try:
        code = app(standalone_mode=False)
    except typer.Exit as leaving:
        code = leaving.exit_code
    except (typer.Abort, KeyboardInterrupt):
        err.print("stopped; what was published before still stands")
        code = EXIT_FOUND
    except Exception as error:  # every error, so that no traceback reaches an operator
        code = _misused(error) or explain_error(error)
    sys.stdout.flush()
    raise SystemExit(code if isinstance(code, int) else EXIT_OK)


def _misused(error: Exception) -> int | None:
    """Click's own errors about the command line, told the way it tells them."""
    show = getattr(error, "show", None)
    if show is None:
        return None
    show()
    return EXIT_MISUSE


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the simulator running at the end.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove this demo home first and start anew.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the whole job against the built-in simulator, over real HTTP."""
    # The demo never touches a real account, whatever the environment holds.
    environ = {"TIEOUT_HOME": str(home_of(os.environ))}
    settings = replace(Settings.from_env(environ), payouts="live")
    if fresh:
        _remove_demo(settings)
    with narrated("demo") as progress, Session.open(settings, progress=progress) as session:
        session.keep_simulator = keep
        run = _execute(session)
        session.progress("screen", "reading the published file")
        view = views.overview(session.home)
    payments = _payments(session.home)
    if as_json:
        answer({**view.document(), "payments": payments, "home": str(session.home.root)})
    else:
        show_overview(out, view, payments)
        show_where(out, session.home, view)
    raise typer.Exit(EXIT_OK if run.run_id == view.run_id else EXIT_FOUND)


@app.command(name="run")
def run_command(
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Judge at this earlier time (ISO 8601).")
    ] = None,
    tenant: Annotated[
        list[str] | None, typer.Option("--tenant", help="Pull and issue only for this tenant.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Pull everything again.")] = False,
    as_json: Json = False,
) -> None:
    """Pull, land, verify, build, publish, sign, and pay what the gates release."""
    settings = Settings.from_env(os.environ)
    cut_off = _time("--as-of", as_of)
    with narrated("run") as progress, Session.open(settings, progress=progress) as session:
        run = _execute(session, as_of=cut_off, tenants=tuple(tenant or ()), full=full)
        home = session.home
    if not run.publishes:
        path = home.warehouse / "as-of" / f"tieout-{run.run_id}.duckdb"
        said = {"run_id": run.run_id, "as_of": run.as_of, "published": False, "file": str(path)}
        answer(said) if as_json else out.print(f"built {path}; the publication stands")
        raise typer.Exit(EXIT_OK)
    view = views.overview(home)
    payments = _payments(home)
    if as_json:
        answer({**view.document(), "payments": payments})
    else:
        show_overview(out, view, payments)
    raise typer.Exit(EXIT_FOUND if view.breaks or _incomplete(view) else EXIT_OK)


@app.command()
def status(as_json: Json = False) -> None:
    """Show the published run: verdicts, breaks, gates."""
    home = _home()
    view = views.overview(home)
    payments = _payments(home)
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
    raise typer.Exit(EXIT_FOUND if view.breaks or _incomplete(view) else EXIT_OK)


@app.command()
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


@app.command()
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


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Where the UI listens.")] = 3000,
) -> None:
    """Open Dagster's UI (dg dev) on this home."""
    home = prepare_home(home_of(os.environ))
    command = shutil.which("dg", path=str(Path(sys.executable).parent)) or "dg"
    environ = {
        **os.environ,
        "DAGSTER_HOME": str(home.dagster),
        "TIEOUT_HOME": str(home.root),
        # dg compares the project's environment with the active one.
        "VIRTUAL_ENV": sys.prefix,
    }
    arguments = ["dg", "dev", "--port", str(port), "--host", "127.0.0.1"]
    os.execve(command, arguments, environ)  # it takes this process's place


def _execute(session: Session, **options: Any) -> Run:
    session.progress("dagster", "starting")
    # Dagster takes seconds to load; commands that only read never pay for it.
    from dagster_project.executing import execute_run  # noqa: PLC0415

    return execute_run(session, **options)


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


def _remove_demo(settings: Settings) -> None:
    if settings.home.exists():
        home = open_home(settings)  # refuses a home that is not a demo
        shutil.rmtree(home.root)


def _payments(home: Home) -> list[dict[str, Any]]:
    """The newest attempt of each payout, as published."""
    with Marts.published(home) as marts:
        if "payout_submissions" not in marts.names():
            return []
        rows = sorted(marts.rows("payout_submissions"), key=lambda row: row["attempt"])
        return list({row["payout_key"]: row for row in rows}.values())


def _incomplete(view: views.Overview) -> bool:
    return any(row["verdict"] == "incomplete" for row in view.verdicts)


def _print_drift(rows: list[dict[str, Any]]) -> None:
    heads = ("tenant", "period", "outcome", "reason", "expected", "actual", "drift", "break")
    cells = [
        (
            row["tenant_id"],
            row["period"],
            row["outcome"],
            row["reason_code"],
            money(row["expected_cents"], row["currency"]),
            money(row["actual_cents"], row["currency"]),
            money(row["drift_cents"], row["currency"]),
            row["break_id"],
        )
        for row in rows
    ]
    out.print(table("Drift (expected less actual)", heads, cells))
    for row in rows:
        if row["outcome"] == "break":
            out.print(f"{row['break_id']}  {row['explanation']}", soft_wrap=True, markup=False)


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(
            got=f"{option} {text[:40]!r}",
            expected="an ISO 8601 time such as 2026-10-31T23:59:59Z",
            remedy=f"Correct {option}",
            code="time_malformed",
        ) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
