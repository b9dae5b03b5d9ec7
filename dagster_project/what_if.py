"""What the models say when some landed rows are other than they are: a build apart from the home's.

Belongs here: a folder of its own over the same landed files, the rows laid over them, and the build
in it. Does not belong here: which rows (`drilling.py`, `backtesting.py`), or any judgement.

Nothing of the home is written: its landed files are linked, never copied or opened for writing, and
the folder goes when the question is answered.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from dagster_project import building
from dagster_project.home import prepare_home
from dagster_project.marts import Marts
from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.sources import all_specs
from ingest.errors import TieoutError
from ingest.folds import FOLDER
from ingest.landing import Landing, new_batch_id
from ingest.tables import TableSpec

__all__ = ["Overlay", "what_if"]

Overlay = Mapping[TableSpec, Sequence[Mapping[str, Any]]]
"""Rows laid over landed tables; each is newer than what is landed under its key."""

MAX_LINKED_FILES: Final = 1_000_000
ABANDONED_AFTER: Final = timedelta(days=1)
_RUN_ID: Final = "what-if"
_PREFIX: Final = "what-if-"


@contextmanager
def what_if(session: Session, run: Run, overlay: Overlay, models: Sequence[str]) -> Iterator[Marts]:
    """Builds some public tables as they would be, and hands them to be read.

    Args:
        session: The session; its home is read.
        run: The run to repeat: judged at its as_of, over what it knew.
        overlay: What is other than it was; empty repeats the run as it was.
        models: Names of public tables.

    Raises:
        TieoutError: A model failed.
    """
    _forget_abandoned(session)
    with (
        session.landing.in_use(),
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=session.home.state) as folder,
    ):
        home = replace(prepare_home(Path(folder)), mode=session.home.mode)
        for name in ("landing", FOLDER):
            _link(session.home.root / name, home.root / name)
        landing = Landing(home.root)
        landing.ensure_schema(all_specs())
        for spec, rows in overlay.items():
            landing.write(
                spec,
                rows,
                batch_id=new_batch_id(run.known_at, _RUN_ID),
                received_at=run.known_at,
            )
        landing.pin(run_id=_RUN_ID, known_at=run.known_at)
        building.build(
            home,
            replace(run, run_id=_RUN_ID),
            models=[f"+{model}" for model in models],
            parsed_by=session.home,
        ).require_good()
        with Marts(home.warehouse / "warehouse.duckdb") as marts:
            yield marts


def _forget_abandoned(session: Session) -> None:
    """Removes what a question left that was killed while it was answered."""
    oldest = (session.clock() - ABANDONED_AFTER).timestamp()
    for folder in session.home.state.glob(f"{_PREFIX}*"):
        if folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def _link(landed: Path, folder: Path) -> None:
    """Links every landed file under the same name."""
    linked = 0
    for table in landed.glob("*/*"):
        if not table.is_dir():
            continue
        target = folder / table.relative_to(landed)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in table.iterdir():
            if path.suffix == ".tmp":
                continue
            linked += 1
            if linked > MAX_LINKED_FILES:
                raise TieoutError(
                    got=f"more than {MAX_LINKED_FILES} landed files",
                    expected="a landing of fewer files",
                    remedy="Ask about a home of fewer runs, or of fewer tenants",
                    code="landing_too_many_files",
                )
            (target / path.name).symlink_to(path.resolve())
