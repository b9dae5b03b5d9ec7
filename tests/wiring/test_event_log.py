"""A run's event log is Dagster's own, whoever opens it."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.event_log import instance_of
from dagster_project.home import prepare_home


@dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="made")])
def made(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    context.instance.report_runless_asset_event(
        dg.AssetMaterialization("apart", metadata={"rows": 2})
    )
    return dg.MaterializeResult(
        metadata={"rows": 1}, check_results=[dg.AssetCheckResult(passed=True, check_name="sound")]
    )


def _logged(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str | None]]:
    return [
        (entry.dagster_event.event_type_value, entry.dagster_event.step_key)
        for entry in instance.all_logs(run_id)
        if entry.dagster_event is not None
    ]


def _rows(instance: dg.DagsterInstance, name: str) -> object:
    event = instance.get_latest_materialization_event(dg.AssetKey(name))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization.metadata["rows"].value


def test_another_process_reads_while_the_run_has_it_open_and_after(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "home")
    with instance_of(home) as ours:
        run_id = dg.materialize([made], instance=ours).run_id
        said = _logged(ours, run_id)
        with dg.DagsterInstance.from_config(str(home.dagster)) as theirs:
            assert _logged(theirs, run_id) == said
            assert (_rows(theirs, "made"), _rows(theirs, "apart")) == (1, 2)
            (check,) = theirs.event_log_storage.get_asset_check_execution_history(
                check_key=dg.AssetCheckKey(dg.AssetKey("made"), "sound"), limit=2
            )
            assert check.status.value == "SUCCEEDED"
            # Dagster's own log of the same work holds the same events in the same order.
            again = dg.materialize([made], instance=theirs).run_id
            assert _logged(theirs, again) == said
            assert _logged(ours, again) == said
    runs = home.dagster / "history" / "runs"
    assert not list(runs.glob("*-wal"))
    with instance_of(home) as ours:
        assert _logged(ours, run_id) == said
        ours.delete_run(run_id)
        assert [path.name for path in runs.glob(f"{run_id}*")] == [f"{run_id}.db"]
        (runs / f"{run_id}.db").unlink()
    assert not list(runs.glob(f"{run_id}*"))


def test_a_file_is_not_opened_anew_for_each_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    connect = sqlite3.dbapi2.connect

    def counted(database: str, *args: Any, **settings: Any) -> sqlite3.Connection:
        opened.append(Path(database).name)
        return connect(database, *args, **settings)

    home = prepare_home(tmp_path / "home")
    with instance_of(home) as instance:
        monkeypatch.setattr(sqlite3.dbapi2, "connect", counted)
        run_id = dg.materialize([made], instance=instance).run_id
        assert len(_logged(instance, run_id)) > 10
    times = Counter(name for name in opened if name not in ("runs.db", "schedules.db"))
    assert set(times) >= {f"{run_id}.db", "index.db"}
    # A new file is also looked into while its tables are made.
    assert max(times.values()) <= 3, times
