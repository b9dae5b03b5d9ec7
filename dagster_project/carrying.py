"""What one build leaves for the next: heavy tables in which only what new batches touch changes.

Belongs here: whether the tables of the last build may be carried on, and writing down what they
hold. Does not belong here: which rows a batch touches (the models say that) or how they are
replaced (`dbt/macros/carried.sql`).

Carried tables are never believed on half a proof. They are dropped, and built from nothing, unless
the last build ended well, was of the same code and engine, read no batch that this run does not
see, and nobody wrote to its files since: a cut-off in the past, an erasure, a killed build, a new
release or a table that a person corrected by hand each starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb

from dagster_project.home import Home, read_state, write_state
from ingest.parquet import sql_path

__all__ = ["FILES", "attach_work", "drop", "is_kept", "keep", "resume", "stamp"]

# Public tables are carried where readers find them, all others in a file of their own. Of `work`
# only the views stay, which the same code makes alike.
FILES: Final = ("carried.duckdb", "warehouse.duckdb", "work.duckdb")
_STATE: Final = "carried.json"
# The batches that the carried tables hold; `register_carried` reads the file too.
_HELD: Final = "carried_batches.parquet"
_BATCHES: Final = """
select distinct source, table_name, batch_id from read_parquet([{}], union_by_name = true)
"""


def resume(home: Home, pins: str, code: Mapping[str, Any]) -> bool:
    """Whether the run's build may go on from the carried tables; what may not be used is dropped.

    Until `keep` says otherwise, nothing is carried: a build that dies leaves nothing behind it.

    Args:
        home: The home, whose warehouse the caller has locked.
        pins: The files of the run's own pins, as a list in SQL.
        code: What tells one state of the dbt project from another.
    """
    state = read_state(home.warehouse / _STATE)
    kept = is_kept(home)
    (home.warehouse / _STATE).unlink(missing_ok=True)
    held = home.warehouse / _HELD
    if kept and state["build"] == _identity(code) and held.exists():
        unseen = f"{_BATCHES.format(sql_path(held))} except {_BATCHES.format(pins)}"
        with duckdb.connect() as database:
            if not database.execute(unseen).fetchall():
                return True
    drop(home)
    return False


def keep(home: Home, pins: str, code: Mapping[str, Any]) -> None:
    """Lets the next build go on from this one's carried tables; this one's nodes all passed."""
    held = sql_path(home.warehouse / _HELD)
    with duckdb.connect() as database:
        database.execute(f"copy ({_BATCHES.format(pins)}) to {held} (format parquet)")
    write_state(home.warehouse / _STATE, {"build": _identity(code), "files": _stamps(home)})


def is_kept(home: Home) -> bool:
    """Whether the files of the last build are as it, or the acts of its run, left them."""
    state = read_state(home.warehouse / _STATE)
    return bool(state) and state.get("files") == _stamps(home)


def stamp(home: Home) -> None:
    """Says that the files are good as they are now: acts were written into what was kept."""
    path = home.warehouse / _STATE
    write_state(path, {**read_state(path), "files": _stamps(home)})


def attach_work(database: duckdb.DuckDBPyConnection, warehouse: Path) -> None:
    """Attaches what a build left in the folder `warehouse` beside the public tables, to be read.

    Intermediate and staging models are under `work`; some of them are views of `carried`.
    """
    for name in ("work", "carried"):
        path = warehouse / f"{name}.duckdb"
        # Spark carries nothing, and leaves tables in the place of the views.
        if path.exists():
            database.execute(f"attach if not exists {sql_path(path)} as {name} (read_only)")


def drop(home: Home) -> None:
    """Removes the carried tables; the next build is from nothing."""
    for pattern in (_STATE, _HELD, "carried.duckdb*"):
        for path in home.warehouse.glob(pattern):
            path.unlink()


def _identity(code: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": dict(code), "engine": duckdb.__version__}


def _stamps(home: Home) -> dict[str, list[int]]:
    """Size and time of each file that is there."""
    found = {name: home.warehouse / name for name in FILES}
    stats = {name: path.stat() for name, path in found.items() if path.exists()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
