"""Rows that wait on disk until their table's turn to be landed comes.

Belongs here: keeping the rows of many tables while one pass over the export makes them all, because
children are committed before their parents. Does not belong here: what a row means, or landing it.

The files have no name in the file system, so that a killed pull leaves none behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import orjson

from ingest.tables import TIMESTAMP, TableSpec

__all__ = ["WaitingRows"]

_IN_MEMORY_BYTES: Final = 1 << 20


class WaitingRows:
    """Rows by table, in the order they were added.

    Args:
        specs: The tables that rows may be added to.
        folder: Where unnamed files are made.
    """

    def __init__(self, specs: Iterable[TableSpec], folder: Path) -> None:
        self._columns = {s.table: [column.name for column in s.columns] for s in specs}
        self._times = {
            spec.table: [i for i, column in enumerate(spec.columns) if column.type == TIMESTAMP]
            for spec in specs
        }
        self._files: dict[str, IO[bytes]] = {}
        self._folder = folder

    def add(self, table: str, row: Mapping[str, object]) -> None:
        """Keeps one row; a column it does not have is null."""
        file = self._files.get(table)
        if file is None:
            file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(self._folder))  # noqa: SIM115
            self._files[table] = file
        values = [row.get(name) for name in self._columns[table]]
        file.write(orjson.dumps(values) + b"\n")

    def has(self, table: str) -> bool:
        """Whether rows of a table wait."""
        return table in self._files

    def take(self, table: str) -> Iterator[dict[str, object]]:
        """The rows of one table; they are gone afterwards."""
        file = self._files.pop(table, None)
        if file is None:
            return
        names, times = self._columns[table], self._times[table]
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
