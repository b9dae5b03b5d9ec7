"""Smaller commands: the simulator by itself, and the doctor.

Belongs here: the subcommands. Does not belong here: anything a run needs.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from dagster_project import spark_target
from dagster_project.building import dbt_folder
from dagster_project.home import open_home, prepare_home, read_state
from dagster_project.narration import EXIT_FOUND, EXIT_OK, answer, err, out, table
from dagster_project.runs import last_published
from dagster_project.settings import DEMO_API_KEY, Settings, home_of
from dagster_project.simulation import Simulation
from ingest.errors import TieoutError
from ingest.folds import census

__all__ = ["add_tools", "simulator_app"]

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

simulator_app = typer.Typer(help="The built-in simulator.", no_args_is_help=True)

MIN_FREE_BYTES: Final = 1 << 30
_PINNED: Final = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "stripe")


@simulator_app.command()
def serve(
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 0,
    world: Annotated[str, typer.Option("--world", help="demo, or scenarios by name.")] = "demo",
) -> None:
    """Serve the simulator of this demo home until interrupted."""
    home = open_home(Settings.from_env({"TIEOUT_HOME": str(home_of(os.environ))}))
    simulation = Simulation.ensure(home, now=datetime.now(UTC), world=world, port=port)
    if simulation.process is None:
        out.print(f"already running at {simulation.url}")
        return
    out.print(f"export STRIPE_API_BASE={simulation.url} STRIPE_API_KEY={DEMO_API_KEY}")
    out.print(f"export TIEOUT_KERNEL_EXPORTS={simulation.exports}", soft_wrap=True)
    out.print(f"export TIEOUT_KERNEL_TRUST={simulation.kernel_trust}", soft_wrap=True)
    err.print("serving; press Ctrl-C to stop")
    try:
        while simulation.process.poll() is None:
            time.sleep(0.5)
    finally:
        simulation.stop()


def add_tools(app: typer.Typer, panel: str) -> None:
    """Adds the top-level commands of this module under a heading of the help."""
    app.command(rich_help_panel=panel)(doctor)


def doctor(as_json: Json = False) -> None:
    """Check this installation, its settings and its home; change nothing."""
    findings = [_python(), _versions(), _dbt(), _settings(), _engine()]
    findings += [_space(), _landing(), _publication()]
    good = all(finding["ok"] for finding in findings)
    if as_json:
        answer({"ok": good, "findings": findings})
    else:
        cells = [(f["what"], "ok" if f["ok"] else "LOOK", f["found"]) for f in findings]
        out.print(table("Doctor", ("what", "", "found"), cells))
    raise typer.Exit(EXIT_OK if good else EXIT_FOUND)


def _finding(what: str, ok: bool, found: str) -> dict[str, Any]:
    return {"what": what, "ok": ok, "found": found}


def _python() -> dict[str, Any]:
    version = ".".join(map(str, sys.version_info[:3]))
    return _finding("python", (3, 11) <= sys.version_info[:2] < (3, 14), version)


def _versions() -> dict[str, Any]:
    found = [f"{name} {importlib.metadata.version(name)}" for name in _PINNED]
    return _finding("packages", True, ", ".join(found))


def _dbt() -> dict[str, Any]:
    project = dbt_folder() / "dbt_project.yml"
    return _finding("dbt project", project.exists(), str(project.parent))


def _settings() -> dict[str, Any]:
    try:
        settings = Settings.from_env(os.environ)
        bound = read_state(settings.home / "state" / "home.json").get("mode", settings.mode)
    except TieoutError as error:
        return _finding("settings", False, str(error))
    said = f"mode {settings.mode}, home bound to {bound}, payouts {settings.payouts}"
    return _finding("settings", bound == settings.mode, said)


def _engine() -> dict[str, Any]:
    target = os.environ.get("TIEOUT_TARGET", "").strip() or "duckdb"
    missing = spark_target.lacking() if target == "spark" else ""
    return _finding("engine", not missing, f"{target}, without {missing}" if missing else target)


def _space() -> dict[str, Any]:
    root = home_of(os.environ)
    place = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(place).free
    return _finding("disk", free >= MIN_FREE_BYTES, f"{free >> 20:,} MiB free at {place}")


def _landing() -> dict[str, Any]:
    found = census(home_of(os.environ))
    said = (
        f"{found.batches:,} batches, {found.folded:,} of them in {found.folds:,} folds, "
        f"{found.batches - found.folded:,} unfolded"
    )
    if found.void:
        said += f"; void folds: {found.void:,}, a batch in each changed; the next run removes them"
    if found.damaged:
        said += f"; damaged batches: {len(found.damaged):,}, first {found.damaged[0]}"
    return _finding("landing", not found.void and not found.damaged, said)


def _publication() -> dict[str, Any]:
    root = home_of(os.environ)
    if not root.exists():
        return _finding("publication", True, "no home yet; `tieout demo` makes one")
    run = last_published(prepare_home(root))
    if run is None:
        return _finding("publication", True, "nothing published yet")
    minutes = int((datetime.now(UTC) - run.as_of).total_seconds()) // 60
    return _finding("publication", True, f"{run.run_id}, {minutes} minutes old")
