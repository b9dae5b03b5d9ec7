"""`tieout import-report`: history from an itemized report CSV.

Belongs here: the command. Does not belong here: reading or landing (`ingest.stripe.reports`).
"""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.acting import erased_accounts
from dagster_project.home import open_home
from dagster_project.narration import EXIT_FOUND, EXIT_OK, answer, narrated, out, table
from dagster_project.settings import Settings

__all__ = ["add_imports"]


def add_imports(app: typer.Typer, panel: str) -> None:
    """Adds the command of this module under a heading of the help."""
    app.command("import-report", rich_help_panel=panel)(import_report_command)


def import_report_command(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV as Stripe made it.")],
    report_type: Annotated[
        str, typer.Option("--type", help="Such as balance_change_from_activity.")
    ],
    account: Annotated[
        str | None, typer.Option("--account", help="Whose report; the platform's by default.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", help="The platform's id, before the first pull.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Land an itemized report in the tables that lists fill too.

    Types: balance_change_from_activity, payout_reconciliation, and both with connected_account_
    in front. The file is not kept: it holds personal data.
    """
    # These load DuckDB, which other commands may not need.
    from ingest.landing import Landing  # noqa: PLC0415
    from ingest.stripe.reports import import_report  # noqa: PLC0415

    settings = Settings.from_env(os.environ)
    home = open_home(settings)
    with narrated("report") as progress:
        progress("report", f"reading {path.name}")
        done = import_report(
            path,
            report_type=report_type,
            landing=Landing(home.root),
            now=datetime.now(UTC).replace(microsecond=0),
            account=account,
            platform=platform,
            erased=erased_accounts(settings, home),
        )
    if as_json:
        answer(asdict(done))
    else:
        out.print(table("Report", ("fact", "value"), list(asdict(done).items())))
        if done.refused:
            out.print("refused rows: quarantine/stripe/balance_transactions, each with its line")
    raise typer.Exit(EXIT_FOUND if done.refused else EXIT_OK)
