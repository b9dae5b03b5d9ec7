"""What controls say now that a decision cannot have known.

Belongs here: comparing operator lines and the kernel's exported controls with what was landed when
a decision was evaluated, and the caps in force now. Does not belong here: who may sign
(`controls.py`), or what else is read again before a payment (`rechecking.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import orjson

from dagster_project.controls import book_of
from dagster_project.session import Session
from evidence.artifacts import KernelArtifacts
from ingest.controls import ControlBook
from ingest.controls.judge import EVERY_TENANT
from ingest.kernel.rail_types import MONEY_RAIL_CONTROLS
from ingest.kernel.reading import ExportRoot, LineReader
from ingest.kernel.tables import MAX_LINE_BYTES
from ingest.tables import CONTROLS

__all__ = ["ControlsWatch"]

CHANGED: Final = "CONTROLS_CHANGED"
KILLED: Final = "PAYOUT_KILL_SWITCH_ACTIVE"
TOO_LARGE: Final = "PAYOUT_AMOUNT_LIMIT_EXCEEDED"
TOO_MUCH_TODAY: Final = "PAYOUT_DAILY_LIMIT_EXCEEDED"


class ControlsWatch:
    """The controls of one tenant as a decision knew them, to be compared with what they say now.

    Args:
        session: The session.
        tenant_id: Whose.
        since: The decision's as_of; what was landed later, the decision cannot have known.
    """

    def __init__(self, session: Session, tenant_id: str, since: datetime) -> None:
        self._session = session
        self._tenant_id = tenant_id
        landed = session.landing.rows(CONTROLS, ("seq", "received_at"))
        self._known_lines = {seq for seq, received_at in landed if _at(received_at) <= since}
        names = ("tenant_id", "canonical_json", "received_at")
        self._known_terms = _newest_terms(
            orjson.loads(str(text))
            for tenant, text, received_at in session.landing.rows(MONEY_RAIL_CONTROLS.spec, names)
            if tenant == tenant_id and _at(received_at) <= since
        )

    def switches(self, provider_id: str) -> tuple[str, ...]:
        """Codes of operator lines that now hold, read again now.

        Raises:
            TieoutError: The book cannot be read; the caller holds.
        """
        return self._codes_of(self._book(), provider_id)

    def codes(self, provider_id: str, *, amount_cents: int, day_cents: int) -> tuple[str, ...]:
        """Codes of operator lines and kernel controls that now hold, read again now.

        Args:
            provider_id: The payout's provider.
            amount_cents: The payout.
            day_cents: What the tenant's day comes to with it, in the same currency.

        Raises:
            TieoutError: Operator lines or kernel controls cannot be read; the caller holds.
        """
        book = self._book()
        codes = list(self._codes_of(book, provider_id))
        stated = _newest_terms(_stated_controls(self._session, self._tenant_id))
        # A repeated statement with a later `updatedAt` is no change: the kernel renews its controls
        # so that they do not grow stale.
        if (
            not self._known_terms
            or not stated
            or any(terms not in self._known_terms for terms in stated)
        ):
            codes.append(CHANGED)
        for cents, field, member, code in (
            (amount_cents, "max_payout_amount_cents", "maxPayoutAmountCents", TOO_LARGE),
            (day_cents, "daily_payout_limit_cents", "dailyPayoutLimitCents", TOO_MUCH_TODAY),
        ):
            caps = book.values(field, self._tenant_id, provider_id)
            caps += [terms[member] for terms in stated if member in terms]
            # Absent holds, null is explicitly unlimited, 0 pays nothing.
            if not caps or any(cap is not None and cents > cap for cap in caps):
                codes.append(code)
        return tuple(dict.fromkeys(codes))

    def _book(self) -> ControlBook:
        return book_of(self._session.settings, self._session.home)

    def _codes_of(self, book: ControlBook, provider_id: str) -> tuple[str, ...]:
        newer = any(
            line.valid
            and line.seq not in self._known_lines
            and line.tenant_id in (EVERY_TENANT, self._tenant_id)
            and line.provider_id in (None, provider_id)
            for line in book.lines
        )
        killed = book.is_killed(self._tenant_id, provider_id)
        return (*((KILLED,) if killed else ()), *((CHANGED,) if newer else ()))


def _stated_controls(session: Session, tenant_id: str) -> list[dict[str, Any]]:
    """Every controls artifact of the tenant's export, read again now."""
    root = ExportRoot(session.rail().exports)
    folders, _ = root.tenants({tenant_id})
    verifier = KernelArtifacts()
    found: list[dict[str, Any]] = []
    for file in folders[0].files:
        if file.artifact_type != MONEY_RAIL_CONTROLS.name:
            continue
        with root.open(file.path) as stream:
            # A line too long to read says something that nobody knows: parsing it refuses.
            lines = (line or b"" for _, line in LineReader(stream, MAX_LINE_BYTES))
            found += [verifier.verify(MONEY_RAIL_CONTROLS.name, line).value for line in lines]
    return found


def _newest_terms(statements: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the newest statements say, without when they say it; empty without any."""
    controls = list(statements)
    times = [datetime.fromisoformat(str(stated["updatedAt"])) for stated in controls]
    newest = max(times, default=None)
    return [
        {name: value for name, value in stated.items() if name != "updatedAt"}
        for at, stated in zip(times, controls, strict=True)
        if at == newest
    ]


def _at(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value
