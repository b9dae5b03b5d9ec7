"""Rows of child tables while their parents are still being read.

Belongs here: keeping rows out of memory until their table is written. Does not belong here: what a
row is, landing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import orjson

from ingest.files import disk_errors
from ingest.tables import TIMESTAMP, TableSpec

__all__ = ["RowSpill"]

Row = dict[str, Any]


class RowSpill:
    """Child rows on their way: kept in an unnamed file until their table is written.

    The file has no name, so a killed pull leaves nothing. It only ever holds allow-listed rows.
    """

    def __init__(self, spec: TableSpec, folder: Path) -> None:
        with disk_errors():
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as the spill
        self._times = [column.name for column in spec.columns if column.type == TIMESTAMP]
        self._mutex = threading.Lock()

    def add(self, rows: Sequence[Row]) -> None:
        """Keeps rows; safe to call from several threads."""
        content = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        with self._mutex, disk_errors():
            self._file.write(content)

    def __iter__(self) -> Iterator[Row]:
        self._file.seek(0)
        for line in self._file:
            row: Row = orjson.loads(line)
            for name in self._times:
                if row[name] is not None:
                    row[name] = datetime.fromisoformat(row[name])
            yield row

    def close(self) -> None:
        """Gives the space back."""
        self._file.close()
