"""The steps of a run, in order: land, pin, build, publish.

Belongs here: plain functions over a `Session` and a `Run`; Dagster's assets and the tests call the
same ones. Does not belong here: signing (`issuing.py`), paying (`enforcing.py`), what is landed
after them (`closing.py`), or anything of Dagster.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dagster_project import building
from dagster_project.acting import acts_of, erased_accounts, erased_of, land_books
from dagster_project.controls import land_controls
from dagster_project.home import read_state, write_state
from dagster_project.marts import Marts
from dagster_project.runs import Run, last_published, remember_published
from dagster_project.session import Session
from dagster_project.sources import all_specs
from evidence.artifacts import AgentKeys, KernelArtifacts
from ingest.controls import DEPARTURE_BOOK, departed_accounts
from ingest.errors import SettingError, TieoutError
from ingest.folding import fold_landing
from ingest.landing import new_batch_id
from ingest.payouts.home import bind_home
from ingest.payouts.journal import journal_rows
from ingest.stripe.endpoints import BALANCES
from ingest.tables import PAYOUT_JOURNAL, PINNED_BATCHES

if TYPE_CHECKING:
    from ingest.kernel import KernelPull
    from ingest.stripe.client import PullResult

__all__ = [
    "Publication",
    "build_warehouse",
    "is_current",
    "land_kernel_exports",
    "land_own_records",
    "land_rail",
    "pin",
    "platform_account",
    "publish",
    "require_known",
    "seal_path",
]

KEPT_PUBLICATIONS: Final = 3
UNKNOWN_PLATFORM: Final = "platform"
ABANDONED_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True)
class Publication:
    """A closed warehouse file that readers may open.

    Attributes:
        path: The file.
        current: Whether `published/current.duckdb` leads to it.
        rows: Number of rows by mart.
    """

    path: Path
    current: bool
    rows: dict[str, int]


def require_known(session: Session, run: Run) -> None:
    """Refuses to judge at a time before anything was received: nothing of it would be known.

    Raises:
        SettingError: Either the time is too early, or this home has received nothing so far.
    """
    pins = (PINNED_BATCHES.source, PINNED_BATCHES.table)
    batches = session.landing.committed()
    received = [batch.received_at for batch in batches if (batch.source, batch.table) != pins]
    first = min(received, default=None)
    if first is None:
        raise SettingError(
            got=f"an as_of of {run.as_of.isoformat()} in a home that has received nothing yet",
            expected="a time at which this home knew something",
            remedy="Run `tieout run` without --as-of first; what it receives can be asked back to "
            "then, and not to before",
            code="as_of_before_landing",
        )
    if run.known_at < first:
        raise SettingError(
            got=f"an as_of of {run.as_of.isoformat()}, when this home knew nothing",
            expected=f"a time from {first.isoformat()} on, when it received its first batch",
            remedy="Ask for that time or a later one; `tieout run` without --as-of judges earlier "
            "months too, by what is known now",
            code="as_of_before_landing",
        )


def land_rail(session: Session, run: Run) -> PullResult:
    """Pulls Stripe into landing.

    Raises:
        TieoutError: The rail cannot be reached or denies us; nothing half-read is visible.
    """
    from ingest.stripe.client import pull_stripe  # noqa: PLC0415  # loads the SDK

    rail = session.rail()
    session.progress("stripe", "pulling")
    with session.landing.in_use():
        result = pull_stripe(
            home=session.home.root,
            api_key=rail.api_key,
            api_base=rail.api_base,
            accounts=session.settings.stripe_accounts,
            now=run.started_at,
            landing=session.landing,
            progress=lambda what, rows: session.progress("stripe", f"{what}: {rows} rows"),
            full=run.full,
            limits=rail.limits,
            departed=departed_accounts(acts_of(session.settings, session.home, DEPARTURE_BOOK)),
            erased=erased_accounts(session.settings, session.home),
        )
    _bind(session)
    return result


def platform_account(session: Session) -> str:
    """The rail's platform account as landed; `platform` when the key may not read its name."""
    landed = session.landing.distinct(BALANCES.spec, ("account_id", "is_platform"))
    names = sorted(str(name) for name, is_platform in landed if is_platform)
    return names[0] if names else UNKNOWN_PLATFORM


def _bind(session: Session) -> None:
    """Binds the home to the account that its reading key named, long before a decision names one.

    A pull refuses a key of another platform, so the name never changes. A platform whose name the
    key may not read binds to nothing, and such a home pays nothing.
    """
    account = platform_account(session)
    if account != UNKNOWN_PLATFORM:
        bind_home(
            session.home.root, livemode=session.settings.livemode, platform_account_id=account
        )


def land_kernel_exports(session: Session, run: Run) -> KernelPull:
    """Reads, verifies and lands the kernel's exports.

    Raises:
        TieoutError: There is nothing to read.
    """
    from ingest.kernel import agent_keys, land_kernel, load_kernel_trust  # noqa: PLC0415

    rail = session.rail()
    trusted = load_kernel_trust(rail.kernel_trust) if rail.kernel_trust else {}
    session.progress("kernel", "reading exports")
    with session.landing.in_use():
        return land_kernel(
            root=rail.exports,
            landing=session.landing,
            verifier=KernelArtifacts(AgentKeys(agent_keys(trusted))),
            trusted_keys=trusted,
            now=run.started_at,
            only_tenants=run.tenants or None,
            erased=erased_of(session.settings, session.home),
            progress=lambda what, rows: session.progress("kernel", f"{what}: {rows} rows"),
        )


def land_own_records(session: Session, run: Run) -> dict[str, int]:
    """Lands what this home itself wrote since: operator lines and the payout journal.

    Returns:
        New rows by table.

    Raises:
        TieoutError: The journal or the controls file is damaged.
    """
    session.progress("records", "operator lines and journal")
    batch_id = new_batch_id(run.started_at, run.run_id)
    return {
        "controls": land_controls(
            session, run.started_at, batch_id, erased_of(session.settings, session.home)
        ),
        "payout_journal": land_journal(session, run.started_at, batch_id),
        **land_books(session, run.started_at, batch_id),
    }


def pin(session: Session, run: Run) -> int:
    """Fixes the list of batches this run reads, and gives every table its columns."""
    session.landing.ensure_schema(all_specs())
    pinned = session.landing.pin(run_id=run.run_id, known_at=run.known_at)
    session.progress("pin", f"{pinned} batches")
    return pinned


def fold(session: Session) -> None:
    """Folds small batches, so that reading them stays quick; under the warehouse lock.

    A run does as well without, so what stops it is told and stops nothing else.
    """
    try:
        done = fold_landing(session.home.root, now=session.clock())
    except TieoutError as error:
        session.progress("fold", str(error))
        return
    if done.folds:
        session.progress("fold", f"{done.batches} batches into {done.folds} files")
    if done.refused:
        said = f"{len(done.refused)} batches hold other rows than were committed"
        session.progress("fold", f"{said}, first {done.refused[0]}: restore them from a backup")


def build_warehouse(
    session: Session, run: Run, *, on_node: Callable[[str], None] | None = None
) -> building.BuildResult:
    """Builds all models for the run and seals the closed file, under the warehouse lock.

    A failed build seals nothing; its result says which node failed.
    """
    with session.home.lock("warehouse"):
        fold(session)
        pin(session, run)
        write_state(_built(session), {"run_id": "unfinished"})
        result = building.build(session.home, run, target=session.settings.target, on_node=on_node)
        if not result.failed:
            _seal(session, run)
    return result


def build_acts(session: Session, run: Run, *, known_at: datetime) -> building.BuildResult | None:
    """Builds the models that record acts onto the run's warehouse, and seals it again.

    Returns:
        None when another run has built since: the acts are landed, and that run or the next shows
        them.
    """
    with session.home.lock("warehouse"):
        if read_state(_built(session)).get("run_id") != run.run_id:
            return None
        session.landing.ensure_schema(all_specs())
        session.landing.pin(run_id=run.run_id, known_at=known_at)
        result = building.build(session.home, run, acts=True, known_at=known_at)
        if not result.failed:
            _seal(session, run)
    return result


def publish(session: Session, run: Run) -> Publication:
    """Moves the sealed file to where readers look, and swaps `current.duckdb` to it.

    An as_of before the published one keeps its file apart and changes nothing for readers.

    Raises:
        TieoutError: The run has no sealed file: its build failed or did not take place.
    """
    home = session.home
    sealed = seal_path(session, run)
    if not sealed.exists():
        raise TieoutError(
            got=f"no sealed warehouse for run {run.run_id}",
            expected="a build that passed",
            remedy="Run the warehouse step again; the last publication stands",
            code="nothing_to_publish",
        )
    with home.lock("publication"):
        published = last_published(home)
        if not run.publishes or (published is not None and run.as_of < published.as_of):
            target = home.warehouse / "as-of" / f"tieout-{run.run_id}.duckdb"
            target.parent.mkdir(mode=0o700, exist_ok=True)
            sealed.replace(target)
            return _described(target, current=False)
        target = home.published / f"tieout-{run.run_id}.duckdb"
        sealed.replace(target)
        link = home.published / ".current.tmp"
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)
        link.replace(home.current)
        remember_published(home, run)
        files = sorted(home.published.glob("tieout-*.duckdb"), key=lambda path: path.name)
        for old in [path for path in files if path != target][: -(KEPT_PUBLICATIONS - 1)]:
            old.unlink()
    session.progress("publish", home.relative(target))
    return _described(target, current=True)


def is_current(session: Session, run: Run) -> bool:
    """Whether readers see this run: only then may it sign or pay."""
    published = last_published(session.home)
    return published is not None and published.run_id == run.run_id


def seal_path(session: Session, run: Run) -> Path:
    """Where a run's closed warehouse waits for publication."""
    return session.home.warehouse / "sealed" / f"{run.run_id}.duckdb"


def _built(session: Session) -> Path:
    return session.home.warehouse / "built.json"


def _seal(session: Session, run: Run) -> None:
    """Copies the closed warehouse file; a live one would copy as an empty one."""
    source = session.home.warehouse / "warehouse.duckdb"
    if source.with_name("warehouse.duckdb.wal").exists():
        raise TieoutError(
            got="a warehouse file that is still open",
            expected="dbt to have closed it",
            remedy="Stop whatever else has warehouse/warehouse.duckdb open, and run again; "
            "analysts read published/current.duckdb",
            code="warehouse_open",
        )
    target = seal_path(session, run)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    oldest = (session.clock() - ABANDONED_AFTER).timestamp()
    for waiting in target.parent.iterdir():
        if waiting.stat().st_mtime < oldest:
            waiting.unlink()
    temporary = target.with_suffix(".tmp")
    shutil.copyfile(source, temporary)
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.chmod(0o400)
    temporary.replace(target)
    write_state(_built(session), {"run_id": run.run_id})


def _described(path: Path, *, current: bool) -> Publication:
    with Marts(path) as marts:
        return Publication(path, current, {name: marts.count(name) for name in marts.names()})


def land_journal(session: Session, received_at: datetime, batch_id: str) -> int:
    """Lands the payout journal's lines that are not landed yet; returns how many."""
    rows = journal_rows(session.home.root / "journal" / "payouts.jsonl")
    manifest = session.landing.write(
        PAYOUT_JOURNAL, rows, batch_id=batch_id, received_at=received_at
    )
    return manifest.rows if manifest else 0
