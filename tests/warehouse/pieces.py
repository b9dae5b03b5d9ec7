"""A landing cut at random into batches that arrive in turn, with earlier versions of rows.

Belongs here: making such a landing of another one. Does not belong here: a build, or an assertion
(`test_carried.py`).

Each row lands in one part. Some rows also land once a part earlier, with a column of another row in
the place of their own, as an object looks before it changes. Which version of a key counts, the
models decide as they always do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb

from dagster_project.sources import all_specs
from ingest.tables import PINNED_BATCHES, TableSpec

__all__ = ["PARTS", "cut"]

PARTS: Final = 3
# One row in so many of a later part has an earlier version.
_EARLIER: Final = 2
# Whose a row is, the pull says and not the row; and a hash is of what it stands beside.
_FIXED: Final = frozenset({"tenant_id", "is_platform"})
_SPECS: Final = tuple(spec for spec in all_specs() if spec.name != PINNED_BATCHES.name)


def cut(landing: Path, root: Path, seed: int) -> None:
    """Lands the rows of one home in another, as batches `part0` to `part2` of each table.

    Args:
        landing: The landing of a home.
        root: A home without batches.
        seed: What decides where a row lands and what its earlier version is.
    """
    with duckdb.connect() as database:
        for spec in _SPECS:
            source = landing / spec.name
            target = root / "landing" / spec.name
            target.mkdir(parents=True, exist_ok=True)
            (target / "schema.parquet").write_bytes((source / "schema.parquet").read_bytes())
            names = ", ".join(f'"{column.name}"' for column in spec.columns)
            database.execute(
                f"create or replace table rows as select *, cast(hash({names}, {seed}) >> 1 "
                f"as bigint) as draw from read_parquet('{source}/*.parquet', union_by_name = true)"
            )
            for part in range(PARTS):
                database.execute(
                    f"copy (select * exclude (draw, part) replace ('part{part}' as batch_id) from "
                    f"({_placed(spec)}) where part = {part}) "
                    f"to '{target}/part{part}.parquet' (format parquet)"
                )


def _placed(spec: TableSpec) -> str:
    """Rows with the part that each lands in, and the earlier versions with theirs."""
    placed = f"select *, draw % {PARTS} as part from rows"
    fixed = {*spec.key, *_FIXED}
    values = [
        column.name
        for column in spec.columns
        if column.name not in fixed and not column.name.endswith(("_hash", "_sha256"))
    ]
    if not values or spec.append_only:
        return placed
    # The first column is drawn for one version, the second for the next, and so on in turn.
    swapped = ", ".join(
        f"case when (draw >> 16) % {len(values)} = {number} "
        f'then coalesce(lag("{name}") over (order by draw), "{name}") else "{name}" end as "{name}"'
        for number, name in enumerate(values)
    )
    return (
        f"{placed} union all select * replace (received_at - interval 1 second as received_at), "
        f"draw % {PARTS} - 1 as part from (select * replace ({swapped}) from rows) "
        f"where draw % {PARTS} > 0 and (draw >> 8) % {_EARLIER} = 0"
    )
