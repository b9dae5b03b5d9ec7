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
from dagster_project.cli_audit import audit_app
from dagster_project.cli_certify import certify_app
from dagster_project.cli_controls import controls_app
from dagster_project.cli_departures import departures_app
from dagster_project.cli_drill import drill_app
from dagster_project.cli_erase import erase_app
from dagster_project.cli_explain import explain
from dagster_project.cli_imports import add_imports
from dagster_project.cli_keys import keys_app
from dagster_project.cli_overrides import override_app, write_off_app
from dagster_project.cli_packets import packet_app
from dagster_project.cli_reports import reports_app
from dagster_project.cli_tools import add_tools, simulator_app
from dagster_project.cli_triage import triage_app
from dagster_project.cli_views import add_views, is_incomplete, newest_payments
from dagster_project.cli_webhooks import webhooks_app
from dagster_project.home import open_home, prepare_home
from dagster_project.narration import (
    EXIT_FOUND,
    EXIT_MISUSE,
    EXIT_OK,
    answer,
    err,
    explain_error,
    narrated,
    out,
)
from dagster_project.notifying import tell_failure
from dagster_project.runs import Run
from dagster_project.screen import show_overview, show_where
from dagster_project.session import Session
from dagster_project.settings import Settings, home_of
from ingest.errors import SettingError

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="tieout",
    help="Payments reconciliation: every cent ties out to a receipt, or says why not.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# How `tieout --help` groups what there is.
RUN, READ, SOURCES = "Run", "Read what was published", "Bring in"
DECIDE, PROVE = "Decide (signed by operators)", "Prove"

for _name, _app, _panel in (
    ("controls", controls_app, DECIDE),
    ("override", override_app, DECIDE),
    ("write-off", write_off_app, DECIDE),
    ("certify", certify_app, DECIDE),
    ("triage", triage_app, DECIDE),
    ("departures", departures_app, DECIDE),
    ("erase", erase_app, DECIDE),
    ("packet", packet_app, PROVE),
    ("keys", keys_app, PROVE),
    ("audit", audit_app, PROVE),
    ("drill", drill_app, PROVE),
    ("kernel-report", reports_app, PROVE),
    ("webhooks", webhooks_app, SOURCES),
    ("simulator", simulator_app, SOURCES),
):
    app.add_typer(_app, name=_name, rich_help_panel=_panel)

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


@app.command(rich_help_panel=RUN)
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
    payments = newest_payments(session.home)
    if as_json:
        answer({**view.document(), "payments": payments, "home": str(session.home.root)})
    else:
        show_overview(out, view, payments)
        show_where(out, session.home, view)
    raise typer.Exit(EXIT_OK if run.run_id == view.run_id else EXIT_FOUND)


@app.command(name="run", rich_help_panel=RUN)
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
    with narrated("run") as progress:
        try:
            with Session.open(settings, progress=progress) as session:
                run = _execute(session, as_of=cut_off, tenants=tuple(tenant or ()), full=full)
                home = session.home
        except Exception as error:
            tell_failure(settings, error, progress)
            raise
    if not run.publishes:
        path = home.warehouse / "as-of" / f"tieout-{run.run_id}.duckdb"
        said = {"run_id": run.run_id, "as_of": run.as_of, "published": False, "file": str(path)}
        answer(said) if as_json else out.print(f"built {path}; the publication stands")
        raise typer.Exit(EXIT_OK)
    view = views.overview(home)
    payments = newest_payments(home)
    if as_json:
        answer({**view.document(), "payments": payments})
    else:
        show_overview(out, view, payments)
    raise typer.Exit(EXIT_FOUND if view.breaks or is_incomplete(view) else EXIT_OK)


@app.command(rich_help_panel=RUN)
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


def _remove_demo(settings: Settings) -> None:
    if settings.home.exists():
        home = open_home(settings)  # refuses a home that is not a demo
        shutil.rmtree(home.root)


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


add_tools(app, RUN)
add_views(app, READ)
app.command(rich_help_panel=READ)(explain)
add_imports(app, SOURCES)
