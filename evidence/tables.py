"""Tables: rows as canonical NDJSON in one order, their digest and their Merkle root.

What belongs here: the order of rows, writing a table, reading one strictly row by row, and the
entries of `tables.json`. What does not: what any table means (findings.py).

Order: by the declared key columns. Integers by number, strings by their UTF-8 bytes, integers
before strings, null last; no two rows share a key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence import canonical, merkle, schema, sorting
from evidence.content import Content, lines
from evidence.errors import Refusal, show

Row = dict[str, object]
_Order = tuple[tuple[int, object], ...]

MAX_ROW_BYTES = 1 << 20
MAX_KEY_COLUMNS = 16
MAX_COLUMNS = 256

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CELLS: Mapping[type, Callable[..., str]] = {
    str: json.encoder.encode_basestring,
    int: int.__repr__,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
}
"""How each kind of cell is written; a kind that is not here is not allowed."""
_parse = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class Table:
    """Rows to be packed.

    Attributes:
        key: the columns that order the rows and identify each.
        rows: every row with every column; text, integers, booleans and null only.
    """

    key: tuple[str, ...]
    rows: Iterable[Mapping[str, object]]


class _Shape:
    """The columns every row of a table has, and how a line of it is put together."""

    def __init__(self, columns: list[str], key: tuple[str, ...]) -> None:
        for column in columns:
            canonical.check_key(column)
        if len(columns) > MAX_COLUMNS:
            raise Refusal("table_columns", f"got {len(columns)} columns, expected {MAX_COLUMNS}")
        for column in key:
            if column not in columns:
                raise Refusal("table_key", f"got no column {show(column)}, which the key names")
        self.columns = tuple(columns)
        self.names = frozenset(columns)
        self._heads = [f'"{column}":' for column in columns]

    def line(self, values: Iterable[object]) -> bytes:
        """The row's line for its values in column order; the caller knows their kinds."""
        cells = [
            head + _CELLS[type(value)](value)
            for head, value in zip(self._heads, values, strict=True)
        ]
        return ("{" + ",".join(cells) + "}").encode()


@dataclass(frozen=True)
class Entry:
    """A table's line in `tables.json`; `merkle` and `sha256` are hex."""

    key: tuple[str, ...]
    merkle: str
    rows: int
    sha256: str

    def document(self) -> dict[str, object]:
        """The entry as it is written."""
        return {
            "key": list(self.key),
            "merkle": self.merkle,
            "rows": self.rows,
            "sha256": self.sha256,
        }


def write_table(
    name: str, table: Table, max_bytes: int, folder: Path | None = None
) -> Iterator[bytes]:
    """The table as NDJSON, one canonical row a line, in key order.

    Args:
        name: the table's name.
        table: its key and rows, in any order.
        max_bytes: refuse beyond this size rather than fill the disk.
        folder: where rows are laid by that are too many to sort at once.

    Yields:
        Each line, its newline included.

    Raises:
        Refusal: `table_name`, `table_key`, `table_columns`, `duplicate_row_key`, `json_type`,
            `json_key`, `json_int_range`, `json_lone_surrogate`, `packet_too_big`.
    """
    check_name(name)
    key = _check_key(list(table.key))

    def repeated(order: _Order) -> None:
        shown = ", ".join(show(part) for _, part in order)
        raise Refusal("duplicate_row_key", f"got two rows of {name} with key ({shown})")

    written = _keyed(name, table.rows, key, max_bytes)
    for line in sorting.sorted_lines(written, order_by(name, key), repeated, folder):
        yield line + b"\n"


def order_by(name: str, key: tuple[str, ...]) -> Callable[[bytes], _Order]:
    """What the lines of a table are ordered by, for lines that were read or written before."""
    return lambda line: _order(name, _parse(line.decode())[0], key)


def _keyed(
    name: str, rows: Iterable[Mapping[str, object]], key: tuple[str, ...], max_bytes: int
) -> Iterator[tuple[_Order, bytes]]:
    shape: _Shape | None = None
    size = 0
    for number, row in enumerate(rows):
        if shape is None:
            shape = _Shape(sorted(row, key=str), key)
        line = _write_row(name, row, shape)
        size += len(line) + 1
        if size > max_bytes:
            raise Refusal(
                "packet_too_big",
                f"got table {name} beyond {max_bytes} bytes after {number} rows, expected the"
                f" packet under 1 GiB; split the period so that {name} is divided by"
                f" {' and '.join(key)}",
            )
        yield _order(name, row, key), line


def scan_table(
    name: str,
    data: Content,
    key: tuple[str, ...],
    visitors: Iterable[Callable[[Row], None]] = (),
) -> Entry:
    """Read a table strictly and describe it.

    Args:
        name: the table's name, for messages.
        data: the NDJSON file.
        key: the columns that must order it.
        visitors: called with every row, in order, once the row has passed.

    Raises:
        Refusal: `table_newline`, `table_order`, `table_columns`, `table_key`, `json_*`, and
            what the visitors refuse.
    """
    visit = tuple(visitors)
    builder, digest = merkle.RootBuilder(), hashlib.sha256()
    shape: _Shape | None = None
    before: _Order | None = None
    rows = 0
    for line in lines(f"table {name}", data, digest):
        row = _read_row(line, shape)
        if shape is None:
            shape = _Shape(list(row), key)
        elif tuple(row) != shape.columns:
            raise Refusal("table_columns", f"got row {rows} of {name} with other columns")
        order = _order(name, row, key)
        if before is not None and before >= order:
            raise Refusal("table_order", f"got row {rows} of {name} out of order or twice")
        for each in visit:
            each(row)
        builder.push(hashlib.sha256(b"\x00" + line).digest())
        before, rows = order, rows + 1
    return Entry(key, builder.root().hex(), rows, digest.hexdigest())


def write_lines(
    name: str,
    columns: Iterable[str],
    rows: Iterable[Mapping[str, object]],
    max_bytes: int,
    folder: Path | None = None,
) -> Iterator[bytes]:
    """Rows as canonical lines in byte order, which needs no key; each with its newline.

    Raises:
        Refusal: those of `write_table` that concern a row, and `packet_too_big`.
    """
    shape = _Shape(sorted(columns), ())

    def written() -> Iterator[tuple[bytes, bytes]]:
        size = 0
        for row in rows:
            line = _write_row(name, row, shape)
            size += len(line) + 1
            if size > max_bytes:
                raise Refusal(
                    "packet_too_big",
                    f"got inputs beyond {max_bytes} bytes at {name}, expected less; issue the"
                    " packet without its inputs, or split the tenant",
                )
            yield line, line

    for line in sorting.sorted_lines(written(), bytes, folder=folder):
        yield line + b"\n"


def check_lines(name: str, data: Content, columns: Iterable[str]) -> None:
    """Refuse lines that `write_lines` would not have written: `table_*`, `json_*`."""
    shape, before = _Shape(sorted(columns), ()), b""
    for line in lines(name, data):
        if tuple(_read_row(line, shape)) != shape.columns:
            raise Refusal("table_columns", f"got a row of {name} with other columns")
        if line < before:
            raise Refusal("table_order", f"got rows of {name} out of order")
        before = line


def check_entry(name: str, got: Entry, stated: Entry) -> None:
    """Refuse a table that is not what `tables.json` states: `table_rows|digest|merkle`."""
    if got.rows != stated.rows:
        raise Refusal("table_rows", f"got {got.rows} rows of {name}, expected {stated.rows}")
    if got.sha256 != stated.sha256:
        raise Refusal("table_digest", f"got {got.sha256} for {name}, expected {stated.sha256}")
    if got.merkle != stated.merkle:
        raise Refusal("table_merkle", f"got root {got.merkle} for {name}, not {stated.merkle}")


def read_entries(data: bytes) -> dict[str, Entry]:
    """`tables.json`, checked against its allow-list."""
    document = schema.mapping(canonical.loads_strict(data), "table_entry", "tables.json")
    return {check_name(name): _entry(value) for name, value in document.items()}


def check_name(name: object) -> str:
    """`name` as a table name."""
    if type(name) is not str or not _NAME.fullmatch(name):
        raise Refusal("table_name", f"got {show(name)}, expected lower-case letters, digits, _")
    return name


def _entry(value: object) -> Entry:
    fields = schema.members(value, ("key", "merkle", "rows", "sha256"), "table_entry")
    return Entry(
        key=_check_key(schema.array(fields["key"], "table_key", "key")),
        merkle=schema.digest(fields["merkle"], "table_entry", "merkle"),
        rows=schema.integer(fields["rows"], "table_entry", "rows"),
        sha256=schema.digest(fields["sha256"], "table_entry", "sha256"),
    )


def _check_key(columns: list[object]) -> tuple[str, ...]:
    names = tuple(schema.text(column, "table_key", "key column", 128) for column in columns)
    if not 0 < len(names) <= MAX_KEY_COLUMNS or len(set(names)) != len(names):
        raise Refusal("table_key", f"got {len(names)} key columns, expected 1 to 16 different ones")
    return names


def _order(name: str, row: Mapping[str, object], key: tuple[str, ...]) -> _Order:
    # Python compares strings by code point, which is the order of their UTF-8 bytes.
    order = []
    for column in key:
        value = row[column]
        kind = type(value)
        if kind is str:
            order.append((1, value))
        elif kind is int:
            order.append((0, value))
        elif value is None:
            order.append((2, None))
        else:
            raise Refusal("table_key", f"got {show(value)} in key column {column} of {name}")
    return tuple(order)


def _write_row(name: str, row: Mapping[str, object], shape: _Shape) -> bytes:
    if len(row) != len(shape.columns) or not shape.names.issuperset(row):
        raise Refusal("table_columns", f"got a row of {name} with other columns than the first")
    values = [row[column] for column in shape.columns]
    for column, value in zip(shape.columns, values, strict=True):
        if type(value) not in _CELLS:
            raise Refusal(
                "json_type",
                f"got {type(value).__name__} in {name}.{column},"
                " expected text, integer, boolean or null",
            )
        if type(value) is int:
            canonical.check_int(value)
    try:
        line = shape.line(values)
    except UnicodeEncodeError:
        raise Refusal("json_lone_surrogate", f"got a lone surrogate in {name}") from None
    if len(line) > MAX_ROW_BYTES:
        raise Refusal("json_too_big", f"got a row of {len(line)} bytes in {name}")
    return line


def _read_row(line: bytes, shape: _Shape | None) -> Row:
    """One strictly read row; quick for honest rows, and slow only to name what is wrong."""
    if shape is not None and len(line) <= MAX_ROW_BYTES:
        try:
            row, _ = _parse(line.decode())
            # Writing the row again shows duplicates, floats, odd spellings and trailing text.
            if (
                type(row) is dict
                and tuple(row) == shape.columns
                and shape.line(row.values()) == line
            ):
                for value in row.values():
                    if type(value) is int:
                        canonical.check_int(value)
                return row
        except (KeyError, ValueError, RecursionError):
            pass
    row = schema.mapping(canonical.loads_strict(line, MAX_ROW_BYTES), "json_type", "row")
    for column, cell in row.items():
        if type(cell) not in _CELLS:
            raise Refusal("json_type", f"got {show(cell)} in column {column}, expected a scalar")
    return row
