"""Rows for people: a table where it fits, and each row as a paragraph where it does not.

Belongs here: the layout of rows and the style of a cell. Does not belong here: which rows, what a
command says, or JSON (`narration.py`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["Listing", "table"]

_WIDEST: Final = 10_000
_INDENT: Final = "  "
_VERDICT_STYLES: Final = {
    "reconciled": "green",
    "reconciled_with_pending": "green",
    "reconciled_with_warnings": "yellow",
    "breaks": "red",
    "incomplete": "red",
    "release": "green",
    "consumed": "green",
    "hold": "yellow",
    "submitted": "green",
}


class Listing:
    """Titled rows. No number and no name is ever broken to make a table fit.

    A terminal that is too narrow for the table gets a paragraph a row, `name value` after `name
    value`. Where nobody looks at a terminal the table has the width it needs.
    """

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]):
        self._title = title
        self._columns = columns
        self._rows = rows

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        made = self._table()
        needed = Measurement.get(console, options.update(max_width=_WIDEST), made).minimum
        if needed <= options.max_width or not console.is_terminal:
            yield made
        else:
            yield from self._paragraphs(options.max_width)

    def _table(self) -> Table:
        made = Table(
            title=self._title, title_justify="left", title_style="bold", box=None, pad_edge=False
        )
        for number, name in enumerate(self._columns):
            cells = [_cell(row[number]) for row in self._rows]
            numeric = bool(cells) and all(_is_number(row[number]) for row in self._rows)
            words = [word for cell in cells for word in Text.from_markup(cell).plain.split(" ")]
            made.add_column(
                name,
                justify="right" if numeric else "left",
                # Only what is several words may be wrapped, and no word is broken.
                no_wrap=numeric or len(words) == len(cells),
                min_width=max(map(len, [name, *words])),
            )
        for row in self._rows:
            made.add_row(*(_cell(value) for value in row))
        return made

    def _paragraphs(self, width: int) -> Iterator[Text]:
        yield Text(self._title, style="bold")
        for row in self._rows:
            line = Text.from_markup(f"[bold]{_cell(row[0])}[/]")
            for name, value in zip(self._columns[1:], row[1:], strict=True):
                if value is None or value == "":
                    continue
                said = Text.from_markup(f"[dim]{escape(name)}[/] {_cell(value)}")
                if line.cell_len + len(_INDENT) + said.cell_len <= width:
                    line = line + Text(_INDENT) + said
                    continue
                yield line
                *whole, last = textwrap.wrap(
                    said.plain, width - 2 * len(_INDENT), break_on_hyphens=False
                ) or [""]
                yield from (Text(_INDENT + part) for part in whole)
                line = Text(_INDENT) + (Text(last) if whole else said)
            yield line


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Listing:
    """Titled rows whose numbers are right-aligned and whose verdicts have a colour."""
    return Listing(title, columns, rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    text = escape(str(value))
    style = _VERDICT_STYLES.get(text)
    return f"[{style}]{text}[/]" if style else text


def _is_number(value: object) -> bool:
    """Whether a cell is a count, a share or money: `7`, `99.91 %`, `-1,234.50 USD`, `-12.50`."""
    if isinstance(value, int):
        return True
    if not isinstance(value, str) or not value:
        return False
    digits, _, unit = value.partition(" ")
    plain = digits.removeprefix("-").replace(",", "").replace(".", "", 1)
    return plain.isdigit() and (unit == "%" or unit[-3:].isalpha() or not unit)
