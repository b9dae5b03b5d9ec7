"""Two built warehouses, compared row by row.

Belongs here: which tables differ. Does not belong here: building either, or an assertion.
"""

from __future__ import annotations

import duckdb

from dagster_project.home import Home

__all__ = ["different_tables"]

FILES = ("warehouse", "work", "carried")
# Of one build alone: what it read and what it replaced.
_OWN = ("arrived", "changed", "landing", "touched")


def different_tables(one: Home, other: Home) -> dict[str, tuple[int, int]]:
    """How many rows of a table only the one warehouse, and only the other has; none of equal ones.

    A table that only one of them has counts with -1.
    """
    with duckdb.connect() as both:
        ours, theirs = (_tables(both, home, name) for home, name in ((one, "a"), (other, "b")))
        different = dict.fromkeys(ours.keys() ^ theirs.keys(), (-1, -1))
        for table in sorted(ours.keys() & theirs.keys()):
            left, right = f"select * from {ours[table]}", f"select * from {theirs[table]}"
            counts = (_count(both, left, right), _count(both, right, left))
            if counts != (0, 0):
                different[table] = counts
    assert len(ours) > 100
    return different


def _tables(both: duckdb.DuckDBPyConnection, home: Home, name: str) -> dict[str, str]:
    """`schema.table` of each table of a home, to where it stands."""
    for file in FILES:
        path = home.warehouse / f"{file}.duckdb"
        if path.exists():
            both.execute(f"attach '{path}' as {name}_{file} (read_only)")
    rows = both.execute(
        "select database_name, schema_name, table_name from duckdb_tables() "
        f"where database_name like '{name}\\_%' escape '\\' and schema_name not in {_OWN}"
    ).fetchall()
    return {f"{schema}.{table}": f"{database}.{schema}.{table}" for database, schema, table in rows}


def _count(both: duckdb.DuckDBPyConnection, left: str, right: str) -> int:
    row = both.execute(f"select count(*) from ({left} except all {right})").fetchone()
    return int(row[0]) if row else -1
