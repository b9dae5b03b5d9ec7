"""A run: its id and its cut-offs, fixed before its first step and read by every later one.

Belongs here: beginning a run, finding it again from another process, what was published last. Does
not belong here: the steps of a run (`pipeline.py`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from dagster_project.home import Home, read_state, write_state
from ingest.errors import SettingError

__all__ = ["Run", "begin", "find", "last_published", "new_run_id", "remember_published"]

KEPT_RUN_FILES: Final = 500


@dataclass(frozen=True)
class Run:
    """Parameters of one run.

    Attributes:
        run_id: Sorts by time; names the published file.
        as_of: The business time everything is judged at.
        known_at: Only batches received up to then are read.
        started_at: When the run began; the receipt time of what it pulls.
        tenants: Narrows pulling and issuing, never SQL; empty means all.
        full: Pull everything again instead of what is new.
        publishes: False for an as_of before the published one: such a run builds a file of its own
            and never publishes, issues or enforces.
    """

    run_id: str
    as_of: datetime
    known_at: datetime
    started_at: datetime
    tenants: tuple[str, ...] = ()
    full: bool = False
    publishes: bool = True

    def serves(self, tenant_id: str) -> bool:
        """Whether this run issues for a tenant."""
        return not self.tenants or tenant_id in self.tenants


def new_run_id(now: datetime) -> str:
    """`20261122T232458Z-1a2b3c`: sorts by time, unique enough beside it."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def begin(
    home: Home,
    key: str,
    *,
    now: datetime,
    as_of: datetime | None = None,
    tenants: tuple[str, ...] = (),
    full: bool = False,
) -> Run:
    """Starts the run that `key` names, or returns it as it was started.

    Args:
        home: The home.
        key: Identifies the run over processes and retries, such as Dagster's root run id.
        now: Current time, UTC-aware.
        as_of: Earlier business time, or None for now.
        tenants: See `Run`.
        full: See `Run`.

    Raises:
        SettingError: `as_of` lies in the future.
    """
    path = _path(home, key)
    with home.lock("runs"):
        stored = read_state(path)
        if stored:
            return _from_state(stored)
        now = now.astimezone(UTC).replace(microsecond=0)
        cut_off = now if as_of is None else as_of.astimezone(UTC)
        if cut_off > now:
            raise SettingError(
                got=f"an as_of of {cut_off.isoformat()}, which lies in the future",
                expected="a time that has passed",
                remedy="Leave --as-of out to judge at the current time",
                code="as_of_in_future",
            )
        published = last_published(home)
        run = Run(
            run_id=new_run_id(now),
            as_of=cut_off,
            # What was learnt after an earlier as_of is not part of its answer.
            known_at=cut_off if as_of is not None else now,
            started_at=now,
            tenants=tenants,
            full=full,
            publishes=published is None or cut_off >= published.as_of,
        )
        write_state(path, _to_state(run))
        _forget_old(path.parent)
    return run


def find(home: Home, key: str) -> Run | None:
    """The run that `key` names, if it has begun."""
    stored = read_state(_path(home, key))
    return _from_state(stored) if stored else None


def last_published(home: Home) -> Run | None:
    """The run that the current publication comes from."""
    stored = read_state(home.state / "published.json")
    return _from_state(stored) if stored else None


def remember_published(home: Home, run: Run) -> None:
    """Records which run the current publication comes from."""
    write_state(home.state / "published.json", _to_state(run))


def _path(home: Home, key: str) -> Path:
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in key)[:100]
    return home.state / "runs" / f"{safe}.json"


def _to_state(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "as_of": run.as_of.isoformat(),
        "known_at": run.known_at.isoformat(),
        "started_at": run.started_at.isoformat(),
        "tenants": list(run.tenants),
        "full": run.full,
        "publishes": run.publishes,
    }


def _from_state(stored: dict[str, Any]) -> Run:
    return Run(
        run_id=str(stored["run_id"]),
        as_of=datetime.fromisoformat(stored["as_of"]),
        known_at=datetime.fromisoformat(stored["known_at"]),
        started_at=datetime.fromisoformat(stored["started_at"]),
        tenants=tuple(stored["tenants"]),
        full=bool(stored["full"]),
        publishes=bool(stored["publishes"]),
    )


def _forget_old(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in files[:-KEPT_RUN_FILES]:
        path.unlink(missing_ok=True)
