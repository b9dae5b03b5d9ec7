"""Rows that wait on disk until their table's turn to be landed comes.

Belongs here: keeping the rows of many tables while one pass over the export makes them all, because
children are committed before their parents. Does not belong here: what a row means, or landing it.

The files have no name in the file system, so that a killed pull leaves none behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import orjson

from ingest.kernel.rows import KERNEL_TABLES
from ingest.tables import TIMESTAMP

__all__ = ["WaitingRows", "encoded"]

_IN_MEMORY_BYTES: Final = 1 << 20
_COLUMNS: Final = {spec.table: [c.name for c in spec.columns] for spec in KERNEL_TABLES}
_TIMES: Final = {
    spec.table: [i for i, column in enumerate(spec.columns) if column.type == TIMESTAMP]
    for spec in KERNEL_TABLES
}
_OCCURRENCES: Final = {
    table: names.index("occurrence") for table, names in _COLUMNS.items() if "occurrence" in names
}


def encoded(table: str, row: Mapping[str, object]) -> bytes:
    """A row as it waits; a column it does not have is null."""
    return orjson.dumps([row.get(name) for name in _COLUMNS[table]])


class WaitingRows:
    """Rows by table, in the order they were added.

    Args:
        folder: Where unnamed files are made.
    """

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, IO[bytes]] = {}
        self._folder = folder

    def add(self, table: str, row: bytes, occurrence: int = 0) -> None:
        """Keeps one encoded row.

        Args:
            table: Its table.
            row: From `encoded`.
            occurrence: How many other contents of the same id came before it.
        """
        if occurrence and table in _OCCURRENCES:
            values = orjson.loads(row)
            values[_OCCURRENCES[table]] = occurrence
            row = orjson.dumps(values)
        file = self._files.get(table)
        if file is None:
            file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(self._folder))  # noqa: SIM115
            self._files[table] = file
        file.write(row + b"\n")

    def has(self, table: str) -> bool:
        """Whether rows of a table wait."""
        return table in self._files

    def take(self, table: str) -> Iterator[dict[str, object]]:
        """The rows of one table; they are gone afterwards."""
        file = self._files.pop(table, None)
        if file is None:
            return
        names, times = _COLUMNS[table], _TIMES[table]
        with file:
            file.seek(0)
            for line in file:
                values = orjson.loads(line)
                for position in times:
                    if values[position] is not None:
                        values[position] = datetime.fromisoformat(values[position])
                yield dict(zip(names, values, strict=True))

    def close(self) -> None:
        """Drops what was not taken."""
        for file in self._files.values():
            file.close()
        self._files.clear()
