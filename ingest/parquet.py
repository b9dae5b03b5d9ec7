"""Parquet files of landed batches, through DuckDB.

Belongs here: every SQL statement that writes, and the database that runs all of them. Does not
belong here: the encoding of rows (`ingest.spool`), names of final files, manifests, locks
(`ingest.landing`), anything a model should compute.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from ingest.errors import LandingError
from ingest.spool import MAX_ROW_BYTES, ROW_NO, Spooled, canonical_line, keep_rows
from ingest.tables import BIGINT, Column, TableSpec

__all__ = [
    "Database",
    "column_types",
    "copy_to_parquet",
    "counts_by",
    "counts_within",
    "drop_unchanged",
    "ndjson_sha256",
    "open_database",
    "read_columns",
    "run_query",
    "sql_text",
    "sql_time",
]

Database = duckdb.DuckDBPyConnection
_CHUNK_ROWS: Final = 2_000


def open_database(temporary: Path) -> Database:
    """An in-memory DuckDB whose overflow goes to a folder; opening one takes 25 ms, so share it."""
    return duckdb.connect(
        config={
            "temp_directory": str(temporary),
            "memory_limit": "2GB",
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
    with _cursor(database) as db:
        if _mark_unchanged(db, spec, new, landed) == 0:
            return new
        db.execute("select row_no from fresh anti join same using (row_no) order by row_no")
        return keep_rows(new, _row_numbers(db), path)


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
    with _cursor(database) as db:
        db.execute(f"copy ({query}) to {sql_text(str(path))} (format parquet, compression zstd)")


def ndjson_sha256(database: Database, columns: Sequence[Column], path: Path) -> str:
    """Hex SHA-256 of the canonical NDJSON of a batch file, re-made from its Parquet rows."""
    names = [column.name for column in columns]
    picked = ", ".join(f'"{name}"' for name in names)
    digest = hashlib.sha256()
    with _cursor(database) as db:
        db.execute(f"select {picked} from read_parquet({_path(path)}) order by row_no")
        while chunk := db.fetchmany(_CHUNK_ROWS):
            for values in chunk:
                row = {
                    name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
                    for name, value in zip(names, values, strict=True)
                }
                digest.update(canonical_line(row) + b"\n")
    return digest.hexdigest()


def column_types(database: Database, path: Path) -> list[tuple[str, str]]:
    """Names and DuckDB types of a Parquet file's columns, in order."""
    with _cursor(database) as db:
        described = db.execute(f"describe select * from read_parquet({_path(path)})").fetchall()
    return [(str(name), str(type_)) for name, type_, *_ in described]


def read_columns(
    database: Database, paths: Sequence[Path], names: Sequence[str], *, distinct: bool = False
) -> list[tuple[object, ...]]:
    """Named columns of all rows of Parquet files, by receipt unless distinct; times UTC-aware."""
    picked = ", ".join(f'"{name}"' for name in names)
    files = ", ".join(_path(path) for path in paths)
    query = f"from read_parquet([{files}], union_by_name = true)"
    with _cursor(database) as db:
        if distinct:
            found = db.execute(f"select distinct {picked} {query}").fetchall()
        else:
            found = db.execute(
                f"select {picked} {query} order by received_at, batch_id, row_no"
            ).fetchall()
    return [_aware(row) for row in found]


def run_query(
    database: Database, sql: str, tables: Mapping[str, Sequence[Path]]
) -> list[tuple[object, ...]]:
    """Rows of a SELECT that names tables, each the union of Parquet files; times UTC-aware."""
    views = ", ".join(
        f"{name} as (from read_parquet([{', '.join(map(_path, paths))}], union_by_name = true))"
        for name, paths in tables.items()
    )
    with _cursor(database) as db:
        return [_aware(row) for row in db.execute(f"with {views} {sql}").fetchall()]


def _aware(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for v in row)


def counts_by(database: Database, path: Path, name: str) -> dict[str, int]:
    """Rows of a file by the value of one text column."""
    with _cursor(database) as db:
        found = db.execute(
            f'select "{name}", count(*) from read_parquet({_path(path)}) group by 1'
        ).fetchall()
    return {str(value): int(rows) for value, rows in found}


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
    with _cursor(database) as db:
        found = db.execute(
            f"select s.number, count(*) from (values {values}) "
            f"as s (number, account_id, start_at, end_at) join read_parquet({_path(path)}) as r "
            f"on r.account_id = s.account_id and r.created >= s.start_at and r.created < s.end_at "
            f"group by s.number"
        ).fetchall()
    for number, rows in found:
        counts[number] = int(rows)
    return counts


@contextlib.contextmanager
def _cursor(database: Database) -> Iterator[Database]:
    try:
        with database.cursor() as db:
            yield db
    except duckdb.Error as error:
        # DuckDB's text may quote a value, so only the kind of error is told.
        raise LandingError(
            got=f"{type(error).__name__} from DuckDB while landed files were read or written",
            expected="readable Parquet files and space for temporary ones",
            remedy="Check the disk under TIEOUT_HOME; `tieout doctor` names a damaged batch",
            code="landing_storage",
        ) from None


def _mark_unchanged(db: Database, spec: TableSpec, new: Spooled, landed: Sequence[Path]) -> int:
    names = [column.name for column in spec.columns if column.name not in spec.seen]
    key = ", ".join(f'"{name}"' for name in spec.key)
    landed_key = ", ".join(f'l."{name}"' for name in spec.key)
    same_key = _equal("n", "l", spec.key)
    same_row = _equal("n", "l", names)
    files = ", ".join(_path(path) for path in landed)
    db.execute(
        f'create temp table fresh as select * exclude ("{ROW_NO}"), "{ROW_NO}" as row_no, '
        f'row_number() over (partition by {key} order by "{ROW_NO}") as turn '
        f"from {_read_ndjson(spec.columns, new.path)}"
    )
    db.execute(
        f"create temp view landed as select * from read_parquet([{files}], union_by_name = true)"
    )
    # Ranking touches narrow columns only; whole rows are read once, for the latest of each key.
    db.execute(
        f"create temp table latest as select batch_id, row_no from ("
        f"select l.batch_id, l.row_no, row_number() over (partition by "
        f"{landed_key} "
        f"order by l.received_at desc, l.batch_id desc, l.row_no desc) as rank "
        f"from landed as l semi join fresh as n on {same_key}) where rank = 1"
    )
    db.execute(
        f"create temp table same as select n.row_no from fresh as n join "
        f"(select landed.* from landed join latest using (batch_id, row_no)) as l on {same_row} "
        f"where n.turn = 1 union all select n.row_no from fresh as n join fresh as l "
        f"on {same_row} and n.turn = l.turn + 1 where n.turn > 1"
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
        f"read_json({_path(path)}, format = 'newline_delimited', auto_detect = false, "
        f"maximum_object_size = {2 * MAX_ROW_BYTES}, columns = {{{types}}})"
    )


def _equal(left: str, right: str, names: Iterable[str]) -> str:
    return " and ".join(f'{left}."{name}" is not distinct from {right}."{name}"' for name in names)


def sql_time(value: datetime) -> str:
    """An aware time as a SQL literal, UTC."""
    return f"{sql_text(_utc(value).isoformat(sep=' '))}::timestamp"


def sql_text(value: str) -> str:
    """A text as a SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def _path(path: Path) -> str:
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
