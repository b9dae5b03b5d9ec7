"""What Dagster hands to every asset: the session of this process and the run it serves.

Belongs here: opening a session from the environment at run time, and telling which `Run` a Dagster
run is. Does not belong here: any work. Nothing is opened when definitions load, so that they load
without network, key or data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from dagster_project import notifying
from dagster_project.home import Home, prepare_home
from dagster_project.runs import Run, begin
from dagster_project.session import Progress, Session
from dagster_project.settings import Settings, home_of
from ingest.errors import SettingError

__all__ = ["Wiring"]


@dataclass
class Wiring:
    """The one resource of all assets, under the name `wiring`.

    Attributes:
        environ: Where settings are read, when a session is first needed.
        opened: A session that the caller opened and will close; the command line gives one.
        clock: The time sensors go by.
        is_attended: Whether the caller opened the session, and so tells of its failures itself.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    opened: Session | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    is_attended: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_attended = self.opened is not None

    def tell_failure(self, error: BaseException, log: Callable[[str], object]) -> None:
        """Notifies operators that a run failed; never fails itself."""
        try:
            settings = Settings.from_env(self.environ)
        except SettingError as fault:
            log(f"notify: nobody was told: {fault}")
            return
        notifying.tell_failure(settings, error, _to_log(log))

    def home(self) -> Home:
        """The home's paths, not bound to a mode: loading definitions decides nothing."""
        if self.opened is not None:
            return self.opened.home
        return prepare_home(home_of(self.environ))

    def session(self, log: Callable[[str], object] | None = None) -> Session:
        """This process's session.

        Args:
            log: Receives progress when the session was not opened by a caller with its own.
        """
        if self.opened is None:
            self.opened = Session.open(Settings.from_env(self.environ))
            if log is not None:
                self.opened.progress = _to_log(log)
        return self.opened

    def run_of(
        self,
        context: dg.AssetExecutionContext,
        *,
        as_of: datetime | None = None,
        tenants: tuple[str, ...] = (),
        full: bool = False,
    ) -> tuple[Session, Run]:
        """The session and the run behind a Dagster run; a retried run keeps its cut-offs."""
        session = self.session(context.log.info)
        key = context.run.root_run_id or context.run_id
        run = begin(session.home, key, now=session.clock(), as_of=as_of, tenants=tenants, full=full)
        return session, run


def _to_log(log: Callable[[str], object]) -> Progress:
    def tell(step: str, detail: str) -> None:
        log(f"{step}: {detail}")

    return tell
