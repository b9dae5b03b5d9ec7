"""The book of control changes: reading it judged, appending to it, and landing it.

Belongs here: the one file of control lines of a home, what its valid lines add up to for a kill
switch, and the landed table `tieout/controls`. Does not belong here: the form of a line (lines.py),
who may sign (registry.py), strictness (switches.py), which lines count (judge.py), or what a gate
does about it.

Arming takes one registered key and works even where the book is damaged; loosening takes two
different people with two different keys, in an unbroken book. Void lines are shown with their code
and never dropped. A book whose past was changed arms every switch by itself, until two operators
sign an `unkill` for all tenants after the damage.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ingest.controls.history import HEAD_FILE, lost_history, remember
from ingest.controls.judge import EVERY_TENANT, ControlLine, Judge
from ingest.controls.lines import Line, SignatureCheck, append_line, compose_line, read_lines
from ingest.controls.registry import Operator
from ingest.controls.switches import KILL_SWITCH
from ingest.landing import Landing
from ingest.tables import CONTROLS, BatchManifest

__all__ = [
    "CONTROLS_FILE",
    "ControlBook",
    "append_control",
    "compose_control",
    "land_controls",
    "read_book",
]

CONTROLS_FILE: Final = Path("controls/controls.jsonl")
_BOOK_ITSELF: Final = "tieout"


@dataclass(frozen=True)
class ControlBook:
    """All lines of a home's controls, judged.

    Attributes:
        lines: In order; when the book cannot be relied on, a last one of the book's own.
        broken_code: Why it cannot be relied on (`chain_broken`, `history_rewritten`,
            `history_unreadable`, `registry_missing`), or None.
    """

    lines: tuple[ControlLine, ...]
    broken_code: str | None

    def is_killed(self, tenant_id: str, provider_id: str | None) -> bool:
        """Whether any kill switch over this tenant and provider is armed."""
        return any(self.values(KILL_SWITCH, tenant_id, provider_id))

    def values(self, field: str, tenant_id: str, provider_id: str | None) -> list[Any]:
        """The newest value of a field in each scope that covers this tenant and provider."""
        newest = {
            (line.tenant_id, line.provider_id): line.value
            for line in self.lines
            if line.valid
            and line.field == field
            and line.tenant_id in (EVERY_TENANT, tenant_id)
            and line.provider_id in (None, provider_id)
        }
        return [json.loads(str(value)) for value in newest.values()]


def compose_control(
    home: Path,
    *,
    action: str,
    value: object,
    book: str,
    at: datetime,
    reason: str,
    operator: str,
    second_operator: str | None = None,
    field: str = KILL_SWITCH,
    tenant_id: str = EVERY_TENANT,
    provider_id: str | None = None,
) -> dict[str, Any]:
    """The unsigned control line that would come next; see `sign_line` and `append_control`.

    Args:
        action: `set`; `kill` or `unkill` with the value True or False.
        value: The new value of `field`.
        book: The name of this home's book, the same in all its lines.
        tenant_id: `*` is every tenant.
        provider_id: None is every provider.
    """
    act = {
        "action": action,
        "field": field,
        "value": value,
        "tenant_id": tenant_id,
        "provider_id": provider_id,
    }
    return compose_line(
        home / CONTROLS_FILE,
        act,
        book=book,
        at=at,
        reason=reason,
        operator=operator,
        second_operator=second_operator,
    )


def append_control(
    home: Path, body: Mapping[str, object], signatures: Sequence[Mapping[str, str]]
) -> None:
    """Appends one signed line and remembers that the book reaches it.

    Raises:
        LandingError: Another line came first, or the line is malformed.
    """
    path, head = home / CONTROLS_FILE, home / HEAD_FILE
    before = read_lines(path)
    lost = lost_history(head, before, mended_at=0)
    if lost is not None:
        # Damage that is already there is dated before this line, which may be what mends it.
        remember(head, before, lost)
    append_line(path, body, signatures)
    if lost is None:
        remember(head, read_lines(path), None)


def read_book(
    home: Path,
    operators: Mapping[str, Operator] | None,
    check: SignatureCheck,
    *,
    book: str | None = None,
) -> ControlBook:
    """Reads and judges the controls of a home; safe to call immediately before a payment.

    Args:
        home: `TIEOUT_HOME`.
        operators: The registry by name, or None when there is none: then a book that has lines
            cannot be relied on.
        check: Verifies one signature.
        book: The name that lines must be signed for; None takes the first line's.

    Raises:
        LandingError: The file cannot be read; the caller holds every payout.
    """
    return _judged(home, read_lines(home / CONTROLS_FILE), operators, check, book)


def land_controls(
    *,
    home: Path,
    operators: Mapping[str, Operator] | None,
    check: SignatureCheck,
    landing: Landing,
    batch_id: str,
    now: datetime,
    book: str | None = None,
    erased: Collection[str] = (),
) -> tuple[ControlBook, BatchManifest | None]:
    """Lands `tieout/controls`, void lines included, and remembers how far the book reaches.

    Lines about `erased` tenants stay in the book and are not landed again.

    Returns:
        The book, and the batch's manifest or None when nothing changed.
    """
    lines = read_lines(home / CONTROLS_FILE)
    judged = _judged(home, lines, operators, check, book)
    landing.ensure_schema([CONTROLS])
    lines_left = [line for line in judged.lines if line.tenant_id not in erased]
    manifest = landing.write(CONTROLS, _rows(lines_left), batch_id=batch_id, received_at=now)
    if judged.broken_code != "registry_missing":
        remember(home / HEAD_FILE, lines, judged.broken_code)
    return judged, manifest


def _judged(
    home: Path,
    lines: Sequence[Line],
    operators: Mapping[str, Operator] | None,
    check: SignatureCheck,
    book: str | None,
) -> ControlBook:
    judge = Judge(operators or {}, check, book)
    judged = [judge.line(line) for line in lines]
    broken = judge.broken_code
    if lines and operators is None:
        broken = "registry_missing"
    elif broken is None:
        broken = lost_history(home / HEAD_FILE, lines, judge.mended_at)
    if broken is not None:
        judged.append(_armed_by_itself(lines, broken))
    return ControlBook(tuple(judged), broken)


def _armed_by_itself(lines: Sequence[Line], code: str) -> ControlLine:
    times = [line.at for line in lines if line.at is not None]
    return ControlLine(
        seq=len(lines) + 1,
        tenant_id=EVERY_TENANT,
        provider_id=None,
        field=KILL_SWITCH,
        value="true",
        action="kill",
        operator=_BOOK_ITSELF,
        second_operator=None,
        at=max(times, default=None),
        reason=f"the book of operator lines cannot be relied on: {code}",
        line_status="valid",
        void_code=code,
    )


def _rows(lines: Iterable[ControlLine]) -> list[dict[str, object]]:
    names = [column.name for column in CONTROLS.columns]
    return [{name: getattr(line, name) for name in names} for line in lines]
