"""`tieout triage`: who looks after which break, by when, and how it ended.

Belongs here: the subcommands. Does not belong here: the queue's order (the mart `mismatch_triage`),
or a verdict: triage never changes one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dagster_project.acting import acts_of
from dagster_project.cli_acts import (
    Json,
    KeyFile,
    Name,
    TenantId,
    existing_home,
    signing_of,
    tell,
    utc_time,
    write,
)
from dagster_project.home import Home
from dagster_project.marts import Marts, Row
from dagster_project.narration import answer, money, out, require_out_folder, table
from dagster_project.narrowing import require_tenant
from dagster_project.sheets import acts_of_sheet, sheet_of, workbook_sheet_of
from ingest.controls import CLOSING_STATUSES, RESOLUTIONS, TRIAGE_BOOK, TRIAGE_STATUSES
from ingest.errors import SettingError, TieoutError
from ingest.files import publish_bytes

__all__ = ["triage_app"]

triage_app = typer.Typer(
    help="Assign breaks, note what was found, say how they ended; a spreadsheet out and in.",
    no_args_is_help=True,
)

BreakId = Annotated[str, typer.Argument(metavar="BREAK", help="As `triage list` shows it.")]
Why = Annotated[str, typer.Option("--reason", help="Kept with the line.")]


@triage_app.command("list")
def list_queue(
    tenant_id: TenantId = None,
    status: Annotated[str | None, typer.Option("--status", help="Only this status.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only this owner's.")] = None,
    as_json: Json = False,
) -> None:
    """List the queue as published, most urgent first."""
    _, home = existing_home()
    rows = _queue(home, tenant_id=tenant_id, triage_status=_status(status), owner=owner)
    if as_json:
        answer(rows)
        return
    heads = ("pri", "tenant", "period", "reason", "drift", "due", "status", "owner", "break")
    cells = [
        (
            row["priority"],
            row["tenant_id"],
            row["period"],
            row["reason_code"],
            money(row["drift_cents"], row["currency"]),
            row["due_at"],
            row["triage_status"],
            row["owner"],
            row["break_id"],
        )
        for row in rows
    ]
    out.print(table("Triage", heads, cells) if cells else "no open break")


@triage_app.command()
def assign(
    break_id: BreakId,
    owner: Annotated[str, typer.Argument(help="Who looks after it: a name or a team.")],
    due: Annotated[str | None, typer.Option("--due", help="By when (ISO 8601).")] = None,
    status: Annotated[str, typer.Option("--status")] = "acknowledged",
    reason: Why = "assigned",
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Give a break to somebody."""
    due_at = None if due is None else utc_time("--due", due)
    said = {"owner": owner, "due_at": due_at, "triage_status": _open_status(status)}
    _write("assign", break_id, said, reason, (operator, key_file), as_json)


@triage_app.command()
def note(
    break_id: BreakId,
    text: Annotated[str, typer.Argument(help="What was found; no personal data.")],
    status: Annotated[str | None, typer.Option("--status")] = None,
    reason: Why = "noted",
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Write down what was found."""
    said = {"note": text, "triage_status": _open_status(status)}
    _write("note", break_id, said, reason, (operator, key_file), as_json)


@triage_app.command()
def resolve(
    break_id: BreakId,
    resolution: Annotated[str, typer.Option("--resolution", help=", ".join(RESOLUTIONS))],
    dismiss: Annotated[bool, typer.Option("--dismiss", help="It needed nothing.")] = False,
    text: Annotated[str | None, typer.Option("--note", help="What was done.")] = None,
    reason: Why = "resolved",
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Say how it ended. The break itself goes only when both sides agree."""
    if resolution not in RESOLUTIONS:
        raise SettingError(
            got=f"--resolution {resolution[:40]!r}",
            expected=f"one of {', '.join(RESOLUTIONS)}",
            remedy="Correct --resolution",
            code="resolution_unknown",
        )
    said = {
        "triage_status": "dismissed" if dismiss else "resolved",
        "resolution": resolution,
        "note": text,
    }
    _write("resolve", break_id, said, reason, (operator, key_file), as_json)


@triage_app.command("export")
def export_sheet(
    target: Annotated[
        Path | None,
        typer.Option("--out", help="A .xlsx or .csv file; default: CSV to standard output."),
    ] = None,
    tenant_id: TenantId = None,
) -> None:
    """Write the queue for a spreadsheet: an Excel workbook or CSV."""
    _, home = existing_home()
    rows = _queue(home, tenant_id=tenant_id)
    if target is None:
        sys.stdout.write(sheet_of(rows))
        return
    if target.suffix.lower() not in (".csv", ".xlsx"):
        raise SettingError(
            got=f"--out {target.name[:60]!r}",
            expected="a file that ends in .xlsx or .csv",
            remedy="Correct --out",
            code="sheet_kind_unknown",
        )
    if target.exists():
        raise TieoutError(
            got=f"a file {target.name} that is there already",
            expected="a new file",
            remedy="Name another file with --out",
            code="file_exists",
        )
    require_out_folder(target)
    is_workbook = target.suffix.lower() == ".xlsx"
    publish_bytes(workbook_sheet_of(rows) if is_workbook else sheet_of(rows).encode(), target)
    out.print(f"{len(rows)} breaks in {target}", soft_wrap=True)


@triage_app.command("import")
def import_sheet(
    source: Annotated[Path, typer.Argument(help="The file that `triage export` wrote.")],
    reason: Why = "spreadsheet",
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Apply a filled-in spreadsheet, whole or not at all."""
    settings, home = existing_home()
    by = signing_of(settings, operator, key_file)
    published = {row["break_id"]: row for row in _queue(home)}
    newest: dict[str, int] = {}
    for line in acts_of(settings, home, TRIAGE_BOOK):
        if line.valid:
            newest[str(line.members["break_id"])] = line.seq
    acts = acts_of_sheet(source, published, newest)
    if not acts:
        answer([]) if as_json else out.print("nothing changed")
        return
    tell(write(settings, home, TRIAGE_BOOK, acts, reason=reason, by=by), as_json)


def _write(
    action: str,
    break_id: str,
    said: dict[str, Any],
    reason: str,
    signer: tuple[str | None, Path | None],
    as_json: bool,
) -> None:
    settings, home = existing_home()
    with Marts.published(home) as marts:
        rows = list(marts.rows("mismatch_triage", break_id=break_id))
    if not rows:
        raise TieoutError(
            got=f"no published break {break_id[:60]!r}",
            expected="the id of an open break",
            remedy="Look it up with `tieout triage list`; run again if the data is old",
            code="break_unknown",
        )
    act = {"action": action, "tenant_id": rows[0]["tenant_id"], "break_id": break_id, **said}
    by = signing_of(settings, *signer)
    tell(write(settings, home, TRIAGE_BOOK, [act], reason=reason, by=by), as_json)


def _queue(home: Home, **equal: str | None) -> list[Row]:
    with Marts.published(home) as marts:
        require_tenant(marts, equal.get("tenant_id"))
        rows = list(marts.rows("mismatch_triage", **equal))
    order = ("priority", "due_at", "tenant_id", "break_id")
    return sorted(rows, key=lambda row: tuple(row[name] for name in order))


def _open_status(text: str | None) -> str | None:
    """A status beside which nobody says how the matter ended."""
    if text in CLOSING_STATUSES:
        raise SettingError(
            got=f"--status {text} without how it ended",
            expected=", ".join(name for name in TRIAGE_STATUSES if name not in CLOSING_STATUSES),
            remedy="Say how it ended with `tieout triage resolve`, with --dismiss if it needed "
            "nothing; nothing was written",
            code="resolution_missing",
        )
    return _status(text)


def _status(text: str | None) -> str | None:
    if text is None or text in TRIAGE_STATUSES:
        return text
    raise SettingError(
        got=f"--status {text[:40]!r}",
        expected=f"one of {', '.join(TRIAGE_STATUSES)}",
        remedy="Correct --status",
        code="triage_status_unknown",
    )
