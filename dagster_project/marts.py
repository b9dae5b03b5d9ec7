"""Reading published marts: whole rows of one table, from the file that readers follow.

Belongs here: opening the published file read-only and handing out rows. Does not belong here: any
statement other than `select * from <mart>`, or a judgement about a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import duckdb

from dagster_project.home import Home
from ingest.errors import TieoutError

__all__ = ["Marts", "Row", "rows_of"]

Row = dict[str, Any]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CHUNK_ROWS: Final = 5_000


class Marts:
    """Public tables of one closed warehouse file.

    Use as a context manager: an open reader keeps its file, even after a newer publication.

    Raises:
        TieoutError: The file cannot be read as a database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = duckdb.connect(str(path), read_only=True)
        except duckdb.Error as error:
            raise TieoutError(
                got=f"{path.name}, unreadable as a database ({type(error).__name__})",
                expected="a published file as a run wrote it",
                remedy="Run `tieout run`: it publishes anew; payouts wait until then",
                code="published_unreadable",
            ) from None

    @classmethod
    def published(cls, home: Home) -> Marts:
        """The current publication.

        Raises:
            TieoutError: Nothing is published yet, or it cannot be read.
        """
        if not home.current.exists():
            raise TieoutError(
                got="no published file in this home",
                expected="a run that reached publication",
                remedy="Run `tieout run`, or `tieout demo` to see one on the built-in simulator",
                code="nothing_published",
            )
        return cls(home.current.resolve())

    def __enter__(self) -> Marts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def names(self) -> list[str]:
        """Names of the published tables, sorted."""
        rows = self._db.execute("show tables").fetchall()
        return sorted(str(name) for (name,) in rows)

    def count(self, mart: str) -> int:
        """How many rows a mart has."""
        return len(self._table(mart))

    def columns(self, mart: str) -> list[str]:
        """Column names of a mart, in order."""
        return list(self._table(mart).columns)

    def rows(self, mart: str, **equal: str | bool | None) -> Iterator[Row]:
        """Rows of a mart, optionally only those whose columns equal the given values.

        Args:
            mart: Table name.
            **equal: Column and value; a None value is no condition.

        Yields:
            One dict a row, column order kept; times are UTC-aware.
        """
        # A cursor of its own: an unread result would block every other query of the connection.
        with self._db.cursor() as cursor:
            yield from rows_of(_where(self._table(mart, cursor), equal))

    def rows_ending(
        self, mart: str, column: str, ending: str, **equal: str | None
    ) -> Iterator[Row]:
        """Rows of a mart whose text in `column` ends so, among those that `equal` selects."""
        if not _is_text(ending):
            return
        with self._db.cursor() as cursor:
            ends = duckdb.FunctionExpression(
                "suffix", duckdb.ColumnExpression(column), duckdb.ConstantExpression(ending)
            )
            yield from rows_of(_where(self._table(mart, cursor), equal).filter(ends))

    def linked_rows(self, mart: str, owner: str, column: str, **equal: str | None) -> Iterator[Row]:
        """Rows of a mart that share `column` with a row of `owner` that `equal` selects."""
        with self._db.cursor() as cursor:
            owners = _where(self._table(owner, cursor), equal).set_alias("owner")
            table = self._table(mart, cursor).set_alias("linked")
            condition = f"linked.{column} = owner.{column}"
            yield from rows_of(table.join(owners, condition=condition, how="semi"))

    def _table(
        self, mart: str, cursor: duckdb.DuckDBPyConnection | None = None
    ) -> duckdb.DuckDBPyRelation:
        if not _NAME.fullmatch(mart) or mart not in self.names():
            raise TieoutError(
                got=f"no mart named {mart[:80]!r} in the published file",
                expected=f"one of {', '.join(self.names()) or 'none'}",
                remedy="Correct the name, or run again with this version of the models",
                code="mart_unknown",
            )
        return (cursor or self._db).sql(f"select * from {mart}")


def _where(
    table: duckdb.DuckDBPyRelation, equal: Mapping[str, str | bool | None]
) -> duckdb.DuckDBPyRelation:
    for column, value in equal.items():
        if isinstance(value, str) and not _is_text(value):
            return table.limit(0)  # What has no UTF-8 form is written in no table.
        if value is not None:
            table = table.filter(
                duckdb.ColumnExpression(column) == duckdb.ConstantExpression(value)
            )
    return table


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def rows_of(table: duckdb.DuckDBPyRelation) -> Iterator[Row]:
    """Yields one dict a row, column order kept; times are UTC-aware."""
    names = table.columns
    for values in table.iter_rows(_CHUNK_ROWS):
        yield {
            name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
            for name, value in zip(names, values, strict=True)
        }
