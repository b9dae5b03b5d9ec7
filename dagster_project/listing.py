"""Rows for people: a table where it fits, and each row as a paragraph where it does not.

Belongs here: the layout of rows and the style of a cell. Does not belong here: which rows, what a
command says, or JSON (`narration.py`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

__all__ = ["Listing", "table"]

# Between two columns.
_GAP: Final = 2
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
    value`. Where nobody looks at a terminal the table has the width it needs, and no row is folded.
    """

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]):
        self._title = title
        self._columns = columns
        self._rows = rows

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        least, natural = self._widths()
        room = options.max_width - _GAP * (len(self._columns) - 1)
        if sum(natural) <= room:
            yield self._table(natural)
        elif sum(least) <= room and console.is_terminal:
            yield self._table(_narrowed(natural, least, room))
        else:
            yield from self._paragraphs(options.max_width)

    def _widths(self) -> tuple[list[int], list[int]]:
        """What each column needs so that no word is broken, and what it takes in one line."""
        least, natural = [], []
        for number, name in enumerate(self._columns):
            cells = [Text.from_markup(_cell(row[number])).plain for row in self._rows]
            natural.append(max(cell_len(text) for text in (name, *cells)))
            # A number is not parted from its unit, nor a heading folded.
            words = cells if self._is_numeric(number) else " ".join(cells).split(" ")
            least.append(max(cell_len(text) for text in (name, *words)))
        return least, natural

    def _is_numeric(self, number: int) -> bool:
        return bool(self._rows) and all(_is_number(row[number]) for row in self._rows)

    def _table(self, widths: Sequence[int]) -> Table:
        made = Table(
            title=self._title, title_justify="left", title_style="bold", box=None, pad_edge=False
        )
        for number, (name, width) in enumerate(zip(self._columns, widths, strict=True)):
            made.add_column(
                name, justify="right" if self._is_numeric(number) else "left", width=width
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


def _narrowed(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths that fit the room: the widest column that has words to wrap gives way first."""
    widths = list(natural)
    for _ in range(sum(natural) - room):
        giving = [number for number, width in enumerate(widths) if width > least[number]]
        widths[max(giving, key=lambda number: widths[number])] -= 1
    return widths


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
