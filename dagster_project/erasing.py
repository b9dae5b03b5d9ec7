"""Erasing a tenant: what would go, and carrying it out.

Belongs here: the order of the steps and what is locked meanwhile. Does not belong here: what must
be settled first (`settling.py`), which rows are a tenant's (`ingest.erasing`), who may decide it
(`ingest.controls`), or the command (`cli_erase.py`).

The order, so that a crash after any step leaves a home that works and an erasure that can be
finished by asking again: land which of the platform's movements were the tenant's; note in
`state/erasures` that it was begun; take away what was built from the rows; the spool; quarantine
and landed rows; the signed line that it is done. From the note on nothing of the tenant is landed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dagster_project.acting import acts_of, begun_erasures, write_acts
from dagster_project.auditing import record_acts
from dagster_project.controls import Signing, operators_of
from dagster_project.home import Home, write_state
from dagster_project.marts import Marts
from dagster_project.session import Session
from dagster_project.settling import Obstacle, obstacles
from dagster_project.sources import all_specs
from ingest.controls import (
    ERASURE_BOOK,
    ActLine,
    erased_tenants,
)
from ingest.deliveries.spool import DeliverySpool, spool_path
from ingest.erasing import (
    Share,
    Subject,
    erase_rows,
    erased_so_far,
    land_erased_movements,
    quarantined_lines,
    shares_of,
)
from ingest.errors import TieoutError
from ingest.landing import new_batch_id

__all__ = ["Preview", "carry_out", "preview"]

_LOCKS: Final = ("enforcement", "packets", "warehouse", "publication")


@dataclass(frozen=True)
class Preview:
    """What carrying out an erasure would take out, and what stands in its way."""

    proposal: ActLine
    subject: Subject
    shares: tuple[Share, ...]
    quarantined: int
    deliveries: int
    obstacles: tuple[Obstacle, ...]
    is_begun: bool
    is_done: bool

    @property
    def batches(self) -> int:
        """Landed batches that would be rewritten."""
        return sum(len(share.rows) for share in self.shares)

    @property
    def row_count(self) -> int:
        """Landed rows that would go."""
        return sum(share.total for share in self.shares)


def preview(session: Session, proposal: ActLine) -> Preview:
    """What an erasure would take out now, and what stands in its way; changes nothing."""
    begun = _begun(session.home, proposal)
    is_done = _done(session, proposal) is not None
    session.landing.ensure_schema(all_specs())
    subject = _subject(session, proposal, begun)
    return Preview(
        proposal=proposal,
        subject=subject,
        shares=tuple(shares_of(session.landing, all_specs(), subject)),
        quarantined=quarantined_lines(session.home.root, subject),
        deliveries=_deliveries(session.home, subject),
        obstacles=()
        if is_done
        else tuple(obstacles(session, proposal, subject, begun is not None)),
        is_begun=begun is not None,
        is_done=is_done,
    )


def carry_out(session: Session, proposal: ActLine, by: Signing, reason: str) -> ActLine:
    """Takes a tenant's data out of the home; asked again after a crash, it does the rest.

    Args:
        session: The session.
        proposal: The erasure.
        by: Who signs that it is done.
        reason: Kept with that line.

    Returns:
        The line that says it is done; its counts are of all attempts together.

    Raises:
        TieoutError: Something stands in the way, or a run is at work; nothing was changed.
    """
    home, tenant = session.home, str(proposal.tenant_id)
    act_id = str(proposal.act_id)
    note = _note(home, proposal)
    at = session.clock().replace(microsecond=0)
    _require_role(session, by)
    with _nobody_else(home):
        done = _done(session, proposal)
        if done is None:
            found = preview(session, proposal)
            refuse_obstacles(found)
            subject = found.subject
            if not found.is_begun:
                # A pull at work is met before anything is begun.
                with session.landing.alone():
                    pass
                _begin(session, found, note, at)
            with session.landing.alone():
                _forget_built(home)
                _forget_deliveries(home, subject)
                # Counted now: what a dead attempt had nearly done is done by being alone.
                shares = shares_of(session.landing, all_specs(), subject)
                erase_rows(session.landing, shares, subject, erasure_id=act_id, at=at)
            _require_gone(session, subject)
            batches, rows = erased_so_far(session.landing, act_id)
            act = {"action": "done", "tenant_id": tenant, "act_id": act_id}
            (done,) = write_acts(
                session.settings,
                home,
                ERASURE_BOOK,
                [{**act, "batches": batches, "row_count": rows}],
                at=at,
                reason=reason,
                by=by,
            )
            if not done.valid:
                return done
        note.unlink(missing_ok=True)
    record_acts(session.settings, home)
    return done


def refuse_obstacles(found: Preview) -> None:
    """Raises:
    TieoutError: Something stands in the way; the first thing is told, and how many there are.
    """
    if found.obstacles:
        first = found.obstacles[0]
        others = len(found.obstacles) - 1
        raise TieoutError(
            got=first.found + (f"; and {others} more that `tieout erase run` lists" * bool(others)),
            expected="a tenant that is settled, left and approved to go",
            remedy=f"{first.remedy}; nothing was erased",
            code=first.code,
        )


def _require_role(session: Session, by: Signing) -> None:
    """The line that it is done must count, and that is known before anything goes."""
    known = (operators_of(session.settings) or {}).get(by[0])
    if known is None or not known.may_loosen(session.clock(), ERASURE_BOOK.name):
        raise TieoutError(
            got=f"{by[0]}, who may not sign erasures",
            expected=f"an operator with the role {ERASURE_BOOK.name}",
            remedy="Have such an operator carry it out; nothing was erased",
            code="role_missing",
        )


# --- the steps ------------------------------------------------------------------------------------


def _begin(session: Session, found: Preview, note: Path, at: datetime) -> None:
    act_id = str(found.proposal.act_id)
    with Marts.published(session.home) as marts:
        mine = marts.rows("money_movements", tenant_id=found.subject.tenant_id, leg="platform")
        land_erased_movements(
            session.landing,
            (str(row["movement_id"]) for row in mine),
            found.subject,
            erasure_id=act_id,
            batch_id=new_batch_id(at, act_id),
            at=at,
        )
    note.parent.mkdir(mode=0o700, exist_ok=True)
    state = {"tenant_id": found.subject.tenant_id, "accounts": list(found.subject.accounts)}
    write_state(note, {**state, "erasure_id": act_id, "begun_at": at.isoformat()})


def _forget_built(home: Home) -> None:
    """Removes every table that was built from the rows; the next run builds and publishes anew."""
    home.current.unlink(missing_ok=True)
    for path in home.published.glob("tieout-*.duckdb*"):
        path.unlink()
    # What a killed process left of a packet or a what-if was built from them too.
    left = (*home.state.glob("packets.tmp"), *home.state.glob("what-if-*"))
    for path in (*home.warehouse.iterdir(), *left):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _forget_deliveries(home: Home, subject: Subject) -> None:
    if spool_path(home.root).exists():
        with DeliverySpool(home.root) as spool:
            spool.forget(subject.tenant_id, subject.accounts)


def _deliveries(home: Home, subject: Subject) -> int:
    if not spool_path(home.root).exists():
        return 0
    with DeliverySpool(home.root) as spool:
        return spool.count_of(subject.tenant_id, subject.accounts)


def _require_gone(session: Session, subject: Subject) -> None:
    left = shares_of(session.landing, all_specs(), subject)
    if left:
        raise TieoutError(
            got=f"{sum(share.total for share in left)} rows that landed while others were erased",
            expected="none left",
            remedy="Ask again: it goes on where it stopped",
            code="erasure_unfinished",
        )


def _done(session: Session, proposal: ActLine) -> ActLine | None:
    lines = acts_of(session.settings, session.home, ERASURE_BOOK)
    found = erased_tenants(lines).get(str(proposal.tenant_id))
    return found if found is not None and found.act_id == proposal.act_id else None


def _begun(home: Home, proposal: ActLine) -> dict[str, Any] | None:
    return begun_erasures(home).get(_note(home, proposal))


def _note(home: Home, proposal: ActLine) -> Path:
    return home.state / "erasures" / f"{proposal.act_id}.json"


def _subject(session: Session, proposal: ActLine, begun: dict[str, Any] | None) -> Subject:
    if begun is not None:
        # The kernel's claims may be gone already; whose the accounts are is checked by the books.
        return Subject(str(proposal.tenant_id), tuple(map(str, begun["accounts"])))
    return Subject.of(session.landing, str(proposal.tenant_id))


@contextmanager
def _nobody_else(home: Home) -> Iterator[None]:
    """Every lock under which tables are built, read for signing, published or paid from."""
    with ExitStack() as stack:
        for name in _LOCKS:
            try:
                stack.enter_context(home.lock(name, wait_seconds=0))
            except TieoutError:
                raise TieoutError(
                    got=f"a run at work in this home ({name})",
                    expected="no run while a tenant's data is taken out",
                    remedy="Let it end, or stop it, and ask again; nothing was erased",
                    code="run_under_way",
                ) from None
        yield
