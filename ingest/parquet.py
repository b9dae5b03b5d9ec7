"""Parquet files of landed batches, through DuckDB.

Belongs here: every SQL statement that writes, and the database that runs all of them. Does not
belong here: the encoding of rows (`ingest.spool`), names of final files, manifests, locks
(`ingest.landing`), anything a model should compute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

from ingest.errors import LandingError
from ingest.spool import MAX_ROW_BYTES, ROW_NO, Spooled, canonical_line, keep_rows
from ingest.tables import BIGINT, Column, TableSpec

__all__ = [
    "Database",
    "column_types",
    "copy_to_parquet",
    "copy_without",
    "counts_by",
    "counts_within",
    "digests_of",
    "drop_unchanged",
    "join_parquet",
    "ndjson_sha256",
    "open_database",
    "read_columns",
    "run_query",
    "sql_path",
    "sql_text",
    "sql_time",
]

Database = duckdb.DuckDBPyConnection
_Made = TypeVar("_Made")
_CHUNK_ROWS: Final = 2_000
_DIGEST_BYTES: Final = 16
# What DuckDB holds at once, whatever a batch holds; more goes to its temporary folder. Rows near
# their size limit need more: it takes them by the 2,048.
_MEMORY: Final = ("256MB", "1GB", "4GB")
_THREADS: Final = 2
_VECTOR_ROWS: Final = 2_048
_MAX_GROUP_VECTORS: Final = 30
_ROW_GROUP_BYTES: Final = 24 << 20
_JOINED_GROUP_ROWS: Final = 10 * _VECTOR_ROWS


def open_database(temporary: Path) -> Database:
    """An in-memory DuckDB whose overflow goes to a folder; opening one takes 25 ms, so share it."""
    return duckdb.connect(
        config={
            "temp_directory": str(temporary),
            "memory_limit": _MEMORY[0],
            "threads": str(_THREADS),
            "preserve_insertion_order": True,
        }
    )


def drop_unchanged(
    database: Database, spec: TableSpec, new: Spooled, landed: Sequence[Path], path: Path
) -> Spooled:
    """Keeps the rows that differ from the latest landed row of their key, or from the one before
    them in the same batch.

    Args:
        database: From `open_database`.
        spec: The table; its `key` identifies a thing, null equals null.
        new: Rows just spooled.
        landed: Committed Parquet files of the table, plus its empty schema file.
        path: Temporary file for the kept rows; written only when some rows are dropped.

    Returns:
        `new` itself when every row is kept, else the kept rows, renumbered, at `path`.
    """

    def differing(db: Database) -> Spooled:
        if _mark_unchanged(db, spec, new, landed) == 0:
            return new
        db.execute("select row_no from fresh anti join same using (row_no) order by row_no")
        return keep_rows(new, _row_numbers(db), path)

    return _in_little_memory(database, differing)


def copy_to_parquet(
    database: Database,
    spec: TableSpec,
    rows: Spooled | None,
    path: Path,
    *,
    batch_id: str,
    received_at: datetime,
) -> None:
    """Writes `rows` with lineage columns as one Parquet file; `None` gives a typed empty file."""
    lineage = {
        "batch_id": f"{sql_text(batch_id)}::varchar",
        "row_no": f'"{ROW_NO}"',
        "received_at": sql_time(received_at),
    }
    if rows is None or rows.rows == 0:
        typed = (f'null::{c.type} as "{c.name}"' for c in (*spec.columns, *spec.lineage))
        query = f"select {', '.join(typed)} where false"
    else:
        picked = [f'"{c.name}"' for c in spec.columns]
        picked += [f'{lineage[c.name]} as "{c.name}"' for c in spec.lineage]
        query = f"select {', '.join(picked)} from {_read_ndjson(spec.columns, rows.path)}"
    copy = (
        f"copy ({query}) to {sql_text(str(path))} "
        f"(format parquet, compression zstd, row_group_size {_row_group(rows)})"
    )
    _in_little_memory(database, lambda db: db.execute(copy))


def copy_without(database: Database, path: Path, condition: str, target: Path) -> None:
    """Copies a Parquet file but for the rows for which a condition holds, in their order."""
    query = f"select * from read_parquet({sql_path(path)}) where not coalesce({condition}, false)"
    copy = (
        f"copy ({query}) to {sql_text(str(target))} (format parquet, compression zstd, "
        f"row_group_size {_VECTOR_ROWS * _MAX_GROUP_VECTORS})"
    )
    _in_little_memory(database, lambda db: db.execute(copy))


def _row_group(rows: Spooled | None) -> int:
    """Rows of a row group that is large enough to read well and small enough to be held."""
    row_bytes = rows.path.stat().st_size // rows.rows if rows and rows.rows else 1
    vectors = _ROW_GROUP_BYTES // max(row_bytes, 1) // _VECTOR_ROWS
    return _VECTOR_ROWS * min(max(vectors, 1), _MAX_GROUP_VECTORS)


def ndjson_sha256(database: Database, columns: Sequence[Column], path: Path) -> str:
    """Hex SHA-256 of the canonical NDJSON of a batch file, re-made from its Parquet rows."""
    names = [column.name for column in columns]
    picked = ", ".join(f'"{name}"' for name in names)

    def digested(db: Database) -> str:
        digest = hashlib.sha256()
        db.execute(f"select {picked} from read_parquet({sql_path(path)}) order by row_no")
        while chunk := db.fetchmany(_CHUNK_ROWS):
            for values in chunk:
                row = dict(zip(names, _aware(values), strict=True))
                digest.update(canonical_line(row) + b"\n")
        return digest.hexdigest()

    return _in_little_memory(database, digested)


def join_parquet(database: Database, paths: Sequence[Path], path: Path) -> None:
    """Writes all rows of Parquet files, lineage included, as one file, by receipt and batch."""
    files = ", ".join(map(sql_path, paths))
    copy = (
        f"copy (from read_parquet([{files}], union_by_name = true) "
        f"order by received_at, batch_id, row_no) to {sql_text(str(path))} "
        f"(format parquet, compression zstd, row_group_size {_JOINED_GROUP_ROWS})"
    )
    _in_little_memory(database, lambda db: db.execute(copy))


def digests_of(
    database: Database, path: Path, shapes: Mapping[str, Sequence[Column]]
) -> dict[str, tuple[str, int, datetime] | None]:
    """The batches in a file of several, each made again from its rows.

    Args:
        database: From `open_database`.
        path: The file.
        shapes: Columns of each batch by its id, lineage excluded.

    Returns:
        By batch id, of batches that have rows: hex SHA-256 of the canonical NDJSON, rows, and
        receipt time; None when two rows have one number, or rows differ in their receipt.
    """
    names = sorted({column.name for columns in shapes.values() for column in columns})
    picked = ", ".join(f'"{name}"' for name in ("batch_id", "row_no", "received_at", *names))
    own = {batch: [(c.name, names.index(c.name)) for c in cs] for batch, cs in shapes.items()}

    def digested(db: Database) -> dict[str, tuple[str, int, datetime] | None]:
        found: dict[str, tuple[Any, int, datetime]] = {}
        odd: dict[str, None] = {}
        before: object = None
        db.execute(
            f"select {picked} from read_parquet({sql_path(path)}) "
            "order by received_at, batch_id, row_no"
        )
        while chunk := db.fetchmany(_CHUNK_ROWS):
            for row in chunk:
                batch, row_no, at, *values = _aware(row)
                assert isinstance(batch, str)
                assert isinstance(at, datetime)
                digest, rows, first = found.get(batch) or (hashlib.sha256(), 0, at)
                if batch not in own or at != first or (rows and row_no == before):
                    odd[batch] = None
                    continue
                before = row_no
                line = canonical_line({name: values[place] for name, place in own[batch]})
                digest.update(line + b"\n")
                found[batch] = (digest, rows + 1, at)
        return {batch: (d.hexdigest(), n, at) for batch, (d, n, at) in found.items()} | odd

    return _in_little_memory(database, digested)


def column_types(database: Database, path: Path) -> list[tuple[str, str]]:
    """Names and DuckDB types of a Parquet file's columns, in order."""
    described = _rows(database, f"describe select * from read_parquet({sql_path(path)})")
    return [(str(name), str(type_)) for name, type_, *_ in described]


def read_columns(
    database: Database, paths: Sequence[Path], names: Sequence[str], *, distinct: bool = False
) -> list[tuple[object, ...]]:
    """Named columns of all rows of Parquet files, by receipt unless distinct; times UTC-aware."""
    picked = ", ".join(f'"{name}"' for name in names)
    files = ", ".join(sql_path(path) for path in paths)
    query = f"from read_parquet([{files}], union_by_name = true)"
    if distinct:
        return _rows(database, f"select distinct {picked} {query}")
    return _rows(database, f"select {picked} {query} order by received_at, batch_id, row_no")


def run_query(
    database: Database, sql: str, tables: Mapping[str, Sequence[Path]]
) -> list[tuple[object, ...]]:
    """Rows of a SELECT that names tables, each the union of Parquet files; times UTC-aware."""
    views = ", ".join(
        f"{name} as (from read_parquet([{', '.join(map(sql_path, paths))}], union_by_name = true))"
        for name, paths in tables.items()
    )
    return _rows(database, f"with {views} {sql}")


def _rows(database: Database, query: str) -> list[tuple[object, ...]]:
    found = _in_little_memory(database, lambda db: db.execute(query).fetchall())
    return [_aware(row) for row in found]


def _aware(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for v in row)


def counts_by(database: Database, path: Path, name: str) -> dict[str, int]:
    """Rows of a file by the value of one text column."""
    query = f'select "{name}", count(*) from read_parquet({sql_path(path)}) group by 1'
    return {str(value): int(str(rows)) for value, rows in _rows(database, query)}


def counts_within(
    database: Database, path: Path, slices: Sequence[tuple[str, datetime, datetime]]
) -> list[int]:
    """Rows of a file by (account_id, [created from, created to)), in the order asked."""
    counts = [0] * len(slices)
    if not slices:
        return counts
    values = ", ".join(
        f"({number}, {sql_text(account)}, {sql_time(start)}, {sql_time(end)})"
        for number, (account, start, end) in enumerate(slices)
    )
    query = (
        f"select s.number, count(*) from (values {values}) "
        f"as s (number, account_id, start_at, end_at) join read_parquet({sql_path(path)}) as r "
        f"on r.account_id = s.account_id and r.created >= s.start_at and r.created < s.end_at "
        f"group by s.number"
    )
    for number, rows in _rows(database, query):
        counts[int(str(number))] = int(str(rows))
    return counts


def _in_little_memory(database: Database, work: Callable[[Database], _Made]) -> _Made:
    """Does work that may be begun again: in little memory, in more only where that is too little.

    Raises:
        LandingError: DuckDB cannot do it.
    """
    for limit in _MEMORY:
        try:
            with database.cursor() as db:
                db.execute(f"set memory_limit = '{limit}'")
                return work(db)
        except duckdb.Error as error:
            if isinstance(error, duckdb.OutOfMemoryException) and limit != _MEMORY[-1]:
                continue
            # DuckDB's text may quote a value, so only the kind of error is told.
            raise LandingError(
                got=f"{type(error).__name__} from DuckDB while landed files were read or written",
                expected="readable Parquet files and space for temporary ones",
                remedy="Check the disk under TIEOUT_HOME; `tieout doctor` names a damaged batch",
                code="landing_storage",
            ) from None
    raise AssertionError("the last limit returns or raises")


def _mark_unchanged(db: Database, spec: TableSpec, new: Spooled, landed: Sequence[Path]) -> int:
    """Fills the tables `fresh`, every new row's number, and `same`, the unchanged ones' numbers.

    Whole rows are never held: a key is its hash and a row is its digest, which covers the key. Two
    keys with one hash land a row too much at worst, and lose none.
    """
    names = [column.name for column in spec.columns if column.name not in spec.seen]
    key = ", ".join(f'"{name}"' for name in spec.key)
    content = ", ".join(f'"{name}"' for name in dict.fromkeys((*spec.key, *names)))
    digest = f"unhex(left(sha256(json_array({content})), {2 * _DIGEST_BYTES})) as digest"
    files = ", ".join(sql_path(path) for path in landed)
    db.execute(
        f"create temp view spooled as select hash({key}) as k, * "
        f"from {_read_ndjson(spec.columns, new.path)}"
    )
    db.execute(
        f"create temp view landed as select hash({key}) as k, * "
        f"from read_parquet([{files}], union_by_name = true)"
    )
    db.execute(f'create temp table fresh as select k, "{ROW_NO}" as row_no from spooled')
    db.execute(
        "create temp table repeated as select k from fresh group by k having count(*) > 1 "
        "union select k from landed semi join fresh using (k)"
    )
    db.execute(
        f"create temp table latest as select k, digest from (select k, {digest}, row_number() over "
        f"(partition by k order by received_at desc, batch_id desc, row_no desc) as rank "
        f"from landed semi join repeated using (k)) where rank = 1"
    )
    db.execute(
        f"create temp table same as select row_no from (select k, row_no, digest, "
        f"lag(digest) over (partition by k order by row_no) as earlier, "
        f"row_number() over (partition by k order by row_no) as turn "
        f'from (select k, "{ROW_NO}" as row_no, {digest} from spooled semi join repeated '
        f"using (k))) as n left join latest as l using (k) "
        f"where n.digest = case when n.turn = 1 then l.digest else n.earlier end"
    )
    found = db.execute("select count(*) from same").fetchone()
    return int(found[0]) if found else 0


def _row_numbers(db: Database) -> Iterator[int]:
    while chunk := db.fetchmany(_CHUNK_ROWS):
        for (row_no,) in chunk:
            yield int(row_no)


def _read_ndjson(columns: Sequence[Column], path: Path) -> str:
    types = ", ".join(f"'{c.name}': '{c.type}'" for c in columns) + f", '{ROW_NO}': '{BIGINT}'"
    return (
        f"read_json({sql_path(path)}, format = 'newline_delimited', auto_detect = false, "
        f"maximum_object_size = {2 * MAX_ROW_BYTES}, columns = {{{types}}})"
    )


def sql_time(value: datetime) -> str:
    """An aware time as a SQL literal, UTC."""
    return f"{sql_text(_utc(value).isoformat(sep=' '))}::timestamp"


def sql_text(value: str) -> str:
    """A text as a SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def sql_path(path: Path) -> str:
    """A path as a SQL literal that DuckDB reads as itself and not as a pattern."""
    return sql_text("".join(f"[{sign}]" if sign in "[*?" else sign for sign in str(path)))


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise LandingError(
            got="a time without zone",
            expected="an aware time",
            remedy="Pass a time with tzinfo, such as datetime.now(UTC)",
            code="landing_value_type",
        )
    return value.astimezone(UTC).replace(tzinfo=None)
