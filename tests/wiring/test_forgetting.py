"""Old runs leave nothing behind in Dagster's storage; the newest stay whole."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from dagster_project import forgetting
from dagster_project.forgetting import forget_old_runs
from dagster_project.home import prepare_home


@dg.op
def nothing() -> None:
    """An op."""


@dg.job
def idle() -> None:
    """A job."""
    nothing()


def test_all_but_the_newest_runs_are_forgotten_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = prepare_home(tmp_path / "home")
    monkeypatch.setattr(forgetting, "KEPT_RUNS", 2)
    monkeypatch.setattr(forgetting, "FORGOTTEN_AT_ONCE", 1)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        ids = [idle.execute_in_process(instance=instance).run_id for _ in range(4)]
        assert forget_old_runs(instance, home) == 1
        assert len(instance.get_run_ids()) == 3
        assert forget_old_runs(instance, home) == 1
        assert forget_old_runs(instance, home) == 0
        assert sorted(instance.get_run_ids()) == sorted(ids[2:])
        assert len(instance.all_logs(ids[3])) > 5
    history = home.dagster / "history" / "runs"
    found = {path.stem for path in history.glob("*.db")}
    assert found - {"index"} == set(ids[2:])
    left = [path for path in home.dagster.rglob("*") if path.name.startswith(tuple(ids[:2]))]
    assert left == []
