"""The triage sheet as an Excel workbook: cells of text, numbers and dates, never a formula.

Belongs here: writing rows to a workbook, and reading one back to text by line, within limits. Does
not belong here: which columns a sheet has, or what a changed cell means (`sheets.py`).
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

__all__ = ["BadWorkbook", "cells_of_workbook", "workbook_of"]

MAX_UNPACKED_BYTES: Final = 256 << 20
MAX_PARTS: Final = 1_000
_DATE_FORMAT: Final = "yyyy-mm-dd hh:mm:ss"
_TO_FILL_IN: Final = PatternFill("solid", fgColor="FFF4CC")
_WIDEST: Final = 60
# What a damaged or hostile file makes the reader raise.
_DAMAGED: Final = (
    *(zipfile.BadZipFile, zlib.error, ParseError, InvalidFileException),
    *(AttributeError, EOFError, LookupError, NotImplementedError, OSError, TypeError, ValueError),
)


class BadWorkbook(Exception):
    """A file is no workbook that can be read; the message says why in a few words."""


def workbook_of(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    editable: Sequence[str],
    choices: Mapping[str, Sequence[str]],
) -> bytes:
    """A workbook of one sheet; the editable columns are coloured and offer their choices.

    Args:
        columns: The first line.
        rows: Values in the order of the columns: text, integers, UTC times or None.
        editable: Names of the columns to fill in.
        choices: What a column's cells may say.
    """
    book = Workbook()
    sheet = book.active
    assert sheet is not None  # a new workbook has a sheet
    sheet.title = "triage"
    sheet.append(list(columns))
    widths = [len(name) for name in columns]
    last = 1
    for last, values in enumerate(rows, start=2):
        for place, value in enumerate(values):
            cell = sheet.cell(last, place + 1)
            assert isinstance(cell, Cell)  # nothing is merged
            widths[place] = max(widths[place], _fill(cell, value))
            if columns[place] in editable:
                cell.fill = _TO_FILL_IN
    for place, width in enumerate(widths):
        letter = get_column_letter(place + 1)
        sheet.column_dimensions[letter].width = min(width, _WIDEST) + 2
        sheet.cell(1, place + 1).font = Font(bold=True)
        allowed = choices.get(columns[place])
        if allowed is not None:
            rule = DataValidation("list", formula1=f'"{",".join(allowed)}"', allow_blank=True)
            rule.add(f"{letter}2:{letter}{max(last, 2)}")
            sheet.add_data_validation(rule)
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = sheet.dimensions
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def cells_of_workbook(data: bytes, *, max_rows: int, width: int) -> list[tuple[int, list[str]]]:
    """Line number and cells of each line that says anything, as the text a CSV would hold.

    Args:
        data: The file's bytes.
        max_rows: The most lines that may hold something.
        width: Cells of a line; what is missing at its end is empty.

    Raises:
        BadWorkbook: It is damaged, too large, or holds formulas.
    """
    try:
        _require_bounded(data)
        book = load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # What a file claims of its size is not believed.
        sheet.reset_dimensions()
        lines: list[tuple[int, list[str]]] = []
        for number, row in enumerate(sheet.iter_rows(), start=1):
            if number > 2 * max_rows:
                raise BadWorkbook(f"more than {max_rows} rows")
            cells = [_text(cell, number) for cell in row]
            while len(cells) > width and not cells[-1]:
                cells.pop()
            if any(cells):
                lines.append((number, cells + [""] * (width - len(cells))))
    except _DAMAGED as error:
        raise BadWorkbook(f"parts that cannot be read ({type(error).__name__})") from None
    return lines


def _fill(cell: Cell, value: object) -> int:
    """Puts a value into a cell as what it is, and returns how wide it shows."""
    if isinstance(value, datetime):
        cell.value = value.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        cell.number_format = _DATE_FORMAT
        return len(_DATE_FORMAT)
    cell.value = value  # type: ignore[assignment]
    if isinstance(value, str):
        # Neither opened nor edited does a text become a formula.
        cell.data_type = "s"
        cell.quotePrefix = value.lstrip().startswith(("=", "+", "-", "@"))
    return len(str(value or ""))


def _require_bounded(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        sizes = [part.file_size for part in parts.infolist()]
    if len(sizes) > MAX_PARTS or sum(sizes) > MAX_UNPACKED_BYTES:
        raise BadWorkbook(f"more than {MAX_PARTS} parts or {MAX_UNPACKED_BYTES} bytes unpacked")


def _text(cell: Any, number: int) -> str:
    if cell.data_type == "f":
        raise BadWorkbook(f"a formula at line {number}; paste its value instead")
    if cell.data_type == "e":
        raise BadWorkbook(f"the error {str(cell.value)[:20]!r} at line {number}")
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        # A workbook keeps times as fractions of a day.
        return (value + timedelta(milliseconds=500)).replace(microsecond=0).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
