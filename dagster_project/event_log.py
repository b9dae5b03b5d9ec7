"""Dagster's event log of a home, kept open while a run writes to it.

Belongs here: how the log's files are opened in this process. Does not belong here: what is logged,
or any storage of ours; the files are Dagster's own, and its UI reads them as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, create_engine

from dagster_project.home import Home

__all__ = ["OpenEventLog", "instance_of"]

_BUSY_SECONDS: Final = 60


class OpenEventLog(SqliteEventLogStorage):
    """Dagster's log in SQLite with one connection a file.

    Its own opens and closes a file some three times an event; each close writes the file out and
    waits for the disk, and so does each commit. That is a third of a small run. Here a commit waits
    for nothing: after a power failure the UI may miss the last events of a run, and the files stay
    sound. What was landed, signed or paid is not in them.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(*args, **settings)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                engine = self._engines[shard] = self._engine(shard)
                self._initdb(engine)
            with self._engines[shard].begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard), connect_args={"timeout": _BUSY_SECONDS}
        )

        @event.listens_for(engine, "connect")
        def relax(connection: Any, _: object) -> None:
            connection.execute("pragma synchronous = normal")

        return engine

    def delete_events(self, run_id: str) -> None:
        super().delete_events(run_id)
        # Its file goes next, and must not come back when this process ends.
        if run_id in self._engines:
            self._engines.pop(run_id).dispose()

    def dispose(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()


def instance_of(home: Home) -> dg.DagsterInstance:
    """The Dagster instance of a home, for a run in this process; the caller closes it."""
    log = {
        "module": OpenEventLog.__module__,
        "class": OpenEventLog.__name__,
        "config": {"base_dir": str(home.dagster / "history" / "runs")},
    }
    folder = str(home.dagster)
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(folder, overrides={"event_log_storage": log})
    )
