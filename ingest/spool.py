"""Rows to canonical NDJSON, through temporary files.

Belongs here: checking row values against a table's columns, writing canonical NDJSON and its
digest. Does not belong here: Parquet and SQL (`ingest.parquet`), names of final files, manifests,
locks (`ingest.landing`).

Canonical NDJSON: one JSON object a line, keys sorted, every declared column present (null when
absent), integers as numbers, times as `2026-11-22T23:24:58Z` with a fraction only when there is
one, UTF-8, one line feed after each row, no lineage columns.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from ingest.errors import LandingError
from ingest.files import disk_errors
from ingest.tables import BIGINT, BOOLEAN, TIMESTAMP, VARCHAR, TableSpec

__all__ = [
    "MAX_ROW_BYTES",
    "ROW_NO",
    "CanonicalLines",
    "Spooled",
    "canonical_line",
    "keep_rows",
    "spool_rows",
]

MAX_ROW_BYTES: Final = 8 * 1024 * 1024
MAX_BATCH_ROWS: Final = 50_000_000
# Beside the columns a spooled line has its number, under a name that sorts after every column's.
ROW_NO: Final = "~"
_ROW_NO: Final = b',"~":'
_CHUNK_ROWS: Final = 2_000
_INT64: Final = range(-(2**63), 2**63)
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


@dataclass(frozen=True)
class Spooled:
    """A temporary NDJSON file: how many rows it has and the digest of their canonical form."""

    path: Path
    rows: int
    sha256: str


@dataclass(frozen=True)
class CanonicalLines:
    """Rows that their maker wrote as canonical JSON already, one line each, without line feed.

    Landing digests them as they are: whoever makes them keeps the form, which `Landing.verify`
    shows by making it again from Parquet.
    """

    lines: Iterable[bytes]


class _Writer:
    """Writes canonical lines with their row number and digests them without it."""

    def __init__(self, path: Path) -> None:
        with disk_errors():
            self._file = path.open("wb")
        self._digest = hashlib.sha256()
        self._lines: list[bytes] = []
        self.path = path
        self.rows = 0

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) >= _CHUNK_ROWS:
            self._flush()

    def _flush(self) -> None:
        first = self.rows + 1
        self.rows += len(self._lines)
        if self.rows > MAX_BATCH_ROWS:
            raise LandingError(
                got=f"more than {MAX_BATCH_ROWS} rows in one batch",
                expected="batches that fit one file",
                remedy="Split the pull into smaller batches",
                code="landing_batch_too_large",
            )
        self._digest.update(b"".join(line + b"\n" for line in self._lines))
        with disk_errors():
            self._file.write(
                b"".join(
                    b"%b%b%d}\n" % (line[:-1], _ROW_NO, row_no)
                    for row_no, line in enumerate(self._lines, start=first)
                )
            )
        self._lines.clear()

    def close(self) -> Spooled:
        self._flush()
        with disk_errors():
            self._file.close()
        return Spooled(self.path, self.rows, self._digest.hexdigest())

    def abandon(self) -> None:
        # What could not be written any more does not matter here.
        with contextlib.suppress(OSError):
            self._file.close()


def canonical_line(row: Mapping[str, object]) -> bytes:
    """One row as canonical JSON, without line feed; times must be UTC-aware."""
    return orjson.dumps(row, option=_OPTIONS)


def spool_rows(
    spec: TableSpec, rows: Iterable[Mapping[str, object]] | CanonicalLines, path: Path
) -> Spooled:
    """Writes rows as canonical NDJSON to `path`.

    Raises:
        LandingError: A row has an unknown column, a value of the wrong type, an integer beyond 64
            bits, a time without zone, or text that is not Unicode. The value is never repeated.
    """
    encode = _encoder(spec)
    writer = _Writer(path)
    try:
        if isinstance(rows, CanonicalLines):
            for line in rows.lines:
                writer.add(line)
            return writer.close()
        for row in rows:
            writer.add(encode(row))
        return writer.close()
    finally:
        writer.abandon()


def keep_rows(spooled: Spooled, kept: Iterator[int], path: Path) -> Spooled:
    """Copies the rows with the numbers `kept`, which ascend, to `path` and numbers them anew."""
    writer = _Writer(path)
    try:
        wanted = next(kept, None)
        with spooled.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if wanted is None:
                    break
                if number == wanted:
                    writer.add(line[: line.rindex(_ROW_NO)] + b"}")
                    wanted = next(kept, None)
        return writer.close()
    finally:
        writer.abandon()


def _encoder(spec: TableSpec) -> Callable[[Mapping[str, object]], bytes]:
    types = {column.name: column.type for column in spec.columns}
    names = types.keys()
    python_types: dict[str, type] = {BIGINT: int, VARCHAR: str, BOOLEAN: bool, TIMESTAMP: datetime}
    checks = [(name, python_types[type_], type_) for name, type_ in types.items()]

    def encode(row: Mapping[str, object]) -> bytes:
        if not row.keys() <= names:
            unknown = sorted(str(name) for name in row.keys() - names)
            raise _refusal(
                spec, unknown[0], "a column the table does not declare", "column_unknown"
            )
        content: dict[str, object] = {}
        for name, python_type, type_ in checks:
            value = row.get(name)
            if value is not None:
                if type(value) is not python_type:
                    raise _refusal(spec, name, f"a {type(value).__name__}", "value_type", type_)
                if python_type is int and value not in _INT64:
                    raise _refusal(spec, name, "an integer beyond 64 bits", "value_range", type_)
                if python_type is datetime:
                    assert isinstance(value, datetime)
                    if value.tzinfo is None:
                        raise _refusal(spec, name, "a time without zone", "value_type", type_)
                    if value.tzinfo is not UTC:
                        value = value.astimezone(UTC)
            content[name] = value
        try:
            line = canonical_line(content)
        except TypeError:
            raise _refusal(
                spec, "a text column", "text that is not Unicode", "value_text"
            ) from None
        if len(line) > MAX_ROW_BYTES:
            raise _refusal(spec, "the row", f"more than {MAX_ROW_BYTES} bytes", "row_too_long")
        return line

    return encode


def _refusal(
    spec: TableSpec, name: str, got: str, code: str, type_: str | None = None
) -> LandingError:
    return LandingError(
        got=f"{got} in {spec.name}, {name}",
        expected=f"null or a {type_} value" if type_ else "a row of the table's declared columns",
        remedy="Convert or quarantine the value in the adapter that made the row",
        code=f"landing_{code}",
    )
