"""The triage queue as a spreadsheet: out for people to fill in, and back in strictly.

Belongs here: the columns, the CSV with cells that no spreadsheet takes for a formula, and reading
a sheet to the acts it asks for. Does not belong here: signing or writing those acts
(`cli_triage.py`), the cells of an Excel workbook (`workbooks.py`).

A sheet is taken as a whole or not at all. A row that changes something counts only if nobody has
touched its break since the sheet was written: `triage_seq` says which line was the newest then. The
difference that any row shows is still the published one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from dagster_project.marts import Row
from ingest.controls import (
    CLOSING_STATUSES,
    RESOLUTIONS,
    TRIAGE_BOOK,
    TRIAGE_STATUSES,
    why_refused,
)
from ingest.errors import TieoutError

__all__ = ["COLUMNS", "SheetRefused", "acts_of_sheet", "sheet_of", "workbook_sheet_of"]

# What a person may change, after what tells him which break it is.
_EDITABLE: Final = ("triage_status", "owner", "due_at", "note", "resolution")
COLUMNS: Final = (
    *("tenant_id", "break_id", "period", "party_id", "priority", "reason_code"),
    *("drift_cents", "currency", "age_days", "suggested_action"),
    *_EDITABLE,
    "triage_seq",
)
# What a break is about: another difference is another decision. Spreadsheets that read CSV rewrite
# months and dates, so the other columns are for the eye alone.
_SUBJECT: Final = ("reason_code", "drift_cents", "currency")
MAX_BYTES: Final = 16 << 20
MAX_ROWS: Final = 50_000
_SHOWN_FAULTS: Final = 20
_FORMULA: Final = ("=", "+", "-", "@")
_ZIP: Final = b"PK\x03\x04"


class SheetRefused(TieoutError):
    """A sheet has faults; nothing of it was applied."""

    default_code = "sheet_refused"


def sheet_of(rows: Iterable[Row]) -> str:
    """The queue as CSV, one row a break."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue()


def workbook_sheet_of(rows: Iterable[Row]) -> bytes:
    """The queue as an Excel workbook, one row a break."""
    from dagster_project.workbooks import workbook_of  # noqa: PLC0415  # loads a large library

    return workbook_of(
        COLUMNS,
        ([_printable(row[name]) for name in COLUMNS] for row in rows),
        editable=_EDITABLE,
        choices={"triage_status": TRIAGE_STATUSES, "resolution": RESOLUTIONS},
    )


def acts_of_sheet(
    path: Path, published: Mapping[str, Row], newest: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The acts a filled-in sheet asks for, in its order; rows that change nothing ask for none.

    Args:
        path: An Excel workbook or a CSV file in UTF-8 (commas, semicolons or tabs), with the
            columns of `sheet_of` in their order.
        published: The open breaks by id.
        newest: Number of the newest triage line by break id, in the book as it is now.

    Raises:
        SheetRefused: Any row has a fault; the message names the lines.
    """
    acts: list[dict[str, Any]] = []
    faults: list[str] = []
    seen: set[str] = set()
    for number, cells in _lines(path):
        fault, act = _row(cells, published, newest, seen)
        if fault is not None:
            faults.append(f"line {number}: {fault}")
        elif act is not None:
            acts.append(act)
    if faults:
        more = f" and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        raise SheetRefused(
            got="; ".join(faults[:_SHOWN_FAULTS]) + more,
            expected="every row as `tieout triage export` wrote it, with only "
            f"{', '.join(_EDITABLE)} changed",
            remedy="Correct these lines and import again; nothing was applied",
        )
    return acts


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SheetRefused(
            got=f"no sheet that can be read: {error.strerror}",
            expected="a sheet that `tieout triage export` wrote",
            remedy="Correct the path and import again; nothing was applied",
            code="sheet_unreadable",
        ) from None
    if len(data) > MAX_BYTES:
        raise _unreadable(f"more than {MAX_BYTES} bytes")
    lines = _workbook_lines(data) if data.startswith(_ZIP) else _csv_lines(data)
    if not lines or lines[0][1] != list(COLUMNS):
        raise _unreadable("other columns in its first line")
    if len(lines) > MAX_ROWS + 1:
        raise _unreadable(f"more than {MAX_ROWS} rows")
    return lines[1:]


def _workbook_lines(data: bytes) -> list[tuple[int, list[str]]]:
    from dagster_project.workbooks import BadWorkbook, cells_of_workbook  # noqa: PLC0415

    try:
        return cells_of_workbook(data, max_rows=MAX_ROWS, width=len(COLUMNS))
    except BadWorkbook as error:
        raise _unreadable(str(error)) from None


def _csv_lines(data: bytes) -> list[tuple[int, list[str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable("bytes that are no UTF-8") from None
    # Where the comma is the decimal sign, a spreadsheet separates cells by something else.
    separator = next((mark for mark in ",;\t" if text.startswith(COLUMNS[0] + mark)), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cells):
                lines.append((reader.line_num, cells))
            if len(lines) > MAX_ROWS + 1:
                break
    except csv.Error:
        raise _unreadable(f"quotes that do not match at line {reader.line_num}") from None
    return lines


def _row(
    cells: list[str], published: Mapping[str, Row], newest: Mapping[str, int], seen: set[str]
) -> tuple[str | None, dict[str, Any] | None]:
    """What is wrong with a row, or the act it asks for."""
    if len(cells) != len(COLUMNS):
        return f"{len(cells)} cells instead of {len(COLUMNS)}", None
    said = {name: _plain(cell) for name, cell in zip(COLUMNS, cells, strict=True)}
    row = published.get(said["break_id"])
    if row is None:
        return "no open break of this id is published", None
    if said["break_id"] in seen:
        return "the same break a second time", None
    seen.add(said["break_id"])
    if said["tenant_id"] != row["tenant_id"]:
        return "the break is another tenant's", None
    for name in _SUBJECT:
        if said[name] != _plain(_cell(row[name])):
            return (
                f"{name} is not {_cell(row[name])}, as published: the break changed since this "
                "sheet was written, or the cell was; export again"
            ), None
    if said["due_at"]:
        due = _due(said["due_at"])
        if due is None:
            return "due_at is no ISO 8601 time such as 2026-12-31T17:00:00Z", None
        said["due_at"] = due
    changed = {name: said[name] for name in _EDITABLE if said[name] != _plain(_cell(row[name]))}
    if not changed:
        return None, None
    if said["triage_seq"] != str(newest.get(said["break_id"], 0)):
        return "somebody changed it since this sheet was written; run, and export again", None
    for name, value in changed.items():
        if not value:
            return f"{name} was emptied; a sheet can change it but not take it away", None
    # A resolution belongs to the status that closed the matter, so both are said together.
    if "resolution" in changed and "triage_status" not in changed:
        changed["triage_status"] = said["triage_status"]
    if changed.get("triage_status") in CLOSING_STATUSES and said["resolution"]:
        changed["resolution"] = said["resolution"]
    act = {
        "action": "import",
        "tenant_id": said["tenant_id"],
        "break_id": said["break_id"],
        **changed,
    }
    refused = why_refused(TRIAGE_BOOK, act)
    if refused is None:
        return None, act
    return f"{refused.member} is missing or takes no such value: {refused.expected}", None


def _due(text: str) -> str | None:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    value = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")


def _cell(value: object) -> str:
    """A cell that opens as text in any spreadsheet: what looks like a formula gets a quote."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    text = str(_printable(value))
    formula = not isinstance(value, int) and text.lstrip().startswith(_FORMULA)
    return f"'{text}" if formula else text


def _printable(value: object) -> object:
    """A value whose text, if it is one, holds no line breaks or control characters."""
    if not isinstance(value, str):
        return value
    return "".join(letter if letter.isprintable() else " " for letter in value)


def _plain(cell: str) -> str:
    """What a cell says, without the quote that `_cell` put before it."""
    quoted = cell.startswith("'") and cell[1:].lstrip().startswith(_FORMULA)
    return cell[1:] if quoted else cell


def _unreadable(got: str) -> SheetRefused:
    return SheetRefused(
        got=f"a sheet with {got}",
        expected=f"an .xlsx workbook, or CSV in UTF-8, with the columns {', '.join(COLUMNS)}",
        remedy="Save it as .xlsx or as CSV (UTF-8) and import again; nothing was applied",
        code="sheet_unreadable",
    )
