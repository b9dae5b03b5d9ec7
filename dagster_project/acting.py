"""Acts of people on a home: writing them signed, reading them judged, landing their books.

Belongs here: handing keys, the registry and the signature check to `ingest.controls`, for every
book but the controls themselves (`controls.py`). Does not belong here: the members of an act
(`ingest.controls`), or its effect (the models).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dagster_project.controls import Signing, home_id_of, operators_of
from dagster_project.home import Home, read_state
from dagster_project.session import Session
from dagster_project.settings import Settings
from evidence.artifacts import is_signed_by
from ingest.controls import (
    ACT_BOOKS,
    DEPARTURE_BOOK,
    ERASURE_BOOK,
    OVERRIDE_BOOK,
    ActBook,
    ActLine,
    departed_accounts,
    erased_tenants,
    land_acts,
    read_acts,
)
from ingest.controls import lapsed_overrides as lapsed
from ingest.controls import write_acts as write

__all__ = [
    "OVERRIDE_LAPSED",
    "acts_of",
    "begun_erasures",
    "erased_accounts",
    "erased_of",
    "land_books",
    "lapsed_overrides",
    "write_acts",
]

OVERRIDE_LAPSED: Final = "OVERRIDE_LAPSED"


def acts_of(settings: Settings, home: Home, book: ActBook) -> list[ActLine]:
    """Every line of a book of the home, judged."""
    return read_acts(
        home.root, book, operators_of(settings), is_signed_by, home_id=home_id_of(home)
    )


def write_acts(
    settings: Settings,
    home: Home,
    book: ActBook,
    acts: Sequence[Mapping[str, object]],
    *,
    at: datetime,
    reason: str,
    by: Signing,
) -> list[ActLine]:
    """Appends signed acts of one operator, all or none; the returned lines tell if they count."""
    written = write(
        home.root,
        book,
        acts,
        operator=by[0],
        signer=by[1],
        reason=reason,
        at=at,
        home_id=home_id_of(home),
    )
    lines = acts_of(settings, home, book)
    first = next(number for number, line in enumerate(lines) if line.line_sha256 == written[0])
    return lines[first : first + len(written)]


def begun_erasures(home: Home) -> dict[Path, dict[str, Any]]:
    """Erasures that were begun and are not finished, by the file that says so."""
    return {path: read_state(path) for path in sorted((home.state / "erasures").glob("*.json"))}


def erased_of(settings: Settings, home: Home) -> frozenset[str]:
    """Tenants of whom nothing may be landed any more."""
    begun = {str(state["tenant_id"]) for state in begun_erasures(home).values()}
    return frozenset(erased_tenants(acts_of(settings, home, ERASURE_BOOK))) | begun


def erased_accounts(settings: Settings, home: Home) -> frozenset[str]:
    """Accounts that left with an erased tenant, until somebody revokes the departure."""
    departures = acts_of(settings, home, DEPARTURE_BOOK)
    return departed_accounts(departures, erased_of(settings, home))


def land_books(session: Session, received_at: datetime, batch_id: str) -> dict[str, int]:
    """Lands the lines of every book that are not landed yet; returns how many by table."""
    landed: dict[str, int] = {}
    erased = erased_of(session.settings, session.home)
    for book in ACT_BOOKS:
        # What was erased, and who left, stays on record; what was decided of the tenant does not.
        stays = book in (ERASURE_BOOK, DEPARTURE_BOOK)
        manifest = land_acts(
            home=session.home.root,
            book=book,
            operators=operators_of(session.settings),
            check=is_signed_by,
            home_id=home_id_of(session.home),
            landing=session.landing,
            batch_id=batch_id,
            now=received_at,
            erased=() if stays else erased,
        )
        landed[book.table.table] = manifest.rows if manifest else 0
    return landed


def lapsed_overrides(session: Session, tenant_id: str, since: datetime) -> list[str]:
    """Overrides that a decision of `since` may rest on and that stand no longer; see
    `ingest.controls.lapsed_overrides`.

    Raises:
        TieoutError: The book cannot be read; the caller holds.
    """
    names = ("seq", "line_sha256", "line_status", "received_at")
    known: dict[int, tuple[int, str, str]] = {}
    for seq, sha256, status, received_at in session.landing.rows(OVERRIDE_BOOK.table, names):
        assert isinstance(seq, int)
        assert isinstance(received_at, datetime)
        if received_at <= since:
            known[seq] = (seq, str(sha256), str(status))
    lines = acts_of(session.settings, session.home, OVERRIDE_BOOK)
    return lapsed(lines, known.values(), tenant_id, since, session.clock())
