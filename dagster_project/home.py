"""One `TIEOUT_HOME`: where things lie, which mode it is bound to, and who may write at a time.

Belongs here: paths, the binding of a home to demo, test or live, cross-process locks, small state
files, Dagster's instance file. Does not belong here: what landing, packets or journals write inside
their own folders.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dagster_project.settings import HomeMode, Settings
from ingest.errors import SettingError, TieoutError

__all__ = ["Home", "open_home", "prepare_home", "read_state", "write_state"]

LOCK_WAIT_SECONDS: Final = 1_800
MAX_STATE_BYTES: Final = 1024 * 1024

# Pools of size 1 keep dbt and publication apart; the file lock below does the same for processes
# that Dagster does not start.
_DAGSTER_YAML: Final = """\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    default_limit: 1
    granularity: op
run_monitoring:
  enabled: false
"""


@dataclass(frozen=True)
class Home:
    """Paths of one home. `mode` is what the home is bound to."""

    root: Path
    mode: HomeMode

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse"

    @property
    def published(self) -> Path:
        return self.root / "published"

    @property
    def current(self) -> Path:
        """The symlink readers follow; absent before the first publication."""
        return self.published / "current.duckdb"

    @property
    def packets(self) -> Path:
        return self.root / "packets"

    @property
    def decisions(self) -> Path:
        return self.root / "decisions"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"

    @property
    def dbt_target(self) -> Path:
        return self.root / "dbt" / "target"

    @property
    def dbt_logs(self) -> Path:
        return self.root / "dbt" / "logs"

    @property
    def simulator(self) -> Path:
        return self.root / "simulator"

    def relative(self, path: Path) -> str:
        """A path as tables and messages spell it: below the home, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    @contextmanager
    def lock(self, name: str, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
        """Holds `state/<name>.lock` alone, across processes.

        Raises:
            TieoutError: Another process held it for all of `wait_seconds`.
        """
        path = self.state / f"{name}.lock"
        with path.open("a") as handle:
            deadline = time.monotonic() + wait_seconds
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise TieoutError(
                            got=f"the {name} of this home in use for over {wait_seconds:.0f} s",
                            expected="one writer at a time, soon done",
                            remedy="Look for a run that hangs, stop it, and run again",
                            code="home_busy",
                        ) from None
                    time.sleep(0.1)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)


def open_home(settings: Settings) -> Home:
    """Makes the folders, binds the home to the settings' mode on first use, and checks it later.

    Raises:
        SettingError: The home belongs to another mode: demo data and keys never mix with real ones.
    """
    home = prepare_home(settings.home)
    with home.lock("home"):
        bound = read_state(home.state / "home.json")
        if not bound:
            write_state(
                home.state / "home.json",
                {"version": 1, "mode": settings.mode, "home_id": secrets.token_hex(8)},
            )
        elif bound.get("mode") != settings.mode:
            raise SettingError(
                got=f"a home bound to {bound.get('mode')} and settings for {settings.mode}",
                expected="each home to serve one of demo, test and live, for good",
                remedy="Set TIEOUT_HOME to another folder, or unset the other mode's variables",
                code="home_bound_elsewhere",
            )
    return Home(home.root, settings.mode)


def prepare_home(root: Path) -> Home:
    """Makes the folders and Dagster's instance file; binds nothing, so a new home reads `demo`."""
    home = Home(root, "demo")
    folders = (home.root, home.state, home.warehouse, home.published, home.packets, home.decisions)
    for folder in (*folders, home.keys, home.dagster, home.dbt_target, home.dbt_logs):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.root.chmod(0o700)
    instance_file = home.dagster / "dagster.yaml"
    if not instance_file.exists():
        instance_file.write_text(_DAGSTER_YAML, encoding="utf-8")
    mode = read_state(home.state / "home.json").get("mode", "demo")
    return Home(root, mode)


def read_state(path: Path) -> dict[str, Any]:
    """A small JSON object of this home; empty when the file is absent.

    Raises:
        TieoutError: The file is not a JSON object.
    """
    try:
        with path.open("rb") as handle:
            text = handle.read(MAX_STATE_BYTES + 1)
    except FileNotFoundError:
        return {}
    try:
        value = json.loads(text) if len(text) <= MAX_STATE_BYTES else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise TieoutError(
            got=f"state file {path.name} that is not a JSON object",
            expected="the file as Tieout wrote it",
            remedy="Restore it from a backup, or remove it to start that state anew",
            code="state_damaged",
        )
    return value


def write_state(path: Path, value: Mapping[str, Any]) -> None:
    """Replaces a state file atomically; readers see the old object or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as handle:
        json.dump(value, handle, sort_keys=True, indent=1)
        handle.write("\n")
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
