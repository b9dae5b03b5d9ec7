"""A book of people's acts: reading it judged, appending to it, and landing it.

Belongs here: signatures, the chain and the past of such a book. Does not belong here: members of an
act (acts.py), or its effect (the models).

Void codes: `unparsable`, `unsigned`, `unregistered`, `bad_signature`, `role_missing`,
`action_unknown`, `member_invalid`, `chain_broken`, `history_rewritten`, `history_unreadable`,
`registry_missing`. Where the past of a book was changed, everything up to there is void: what was
removed may have been a revocation. Lines written after the damage count again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ingest.controls.acts import (
    ActBook,
    Malformed,
    act_members,
    text_form,
    why_malformed,
    why_refused,
)
from ingest.controls.history import damage_of, keep
from ingest.controls.lines import (
    GENESIS,
    Line,
    LineSigner,
    SignatureCheck,
    append_lines,
    compose_line,
    line_sha256,
    read_lines,
    sign_line,
)
from ingest.controls.registry import Operator
from ingest.controls.signers import is_signed, why_unsigned
from ingest.errors import SettingError
from ingest.landing import Landing
from ingest.tables import BatchManifest

__all__ = [
    "ActLine",
    "land_acts",
    "lapsed_overrides",
    "read_acts",
    "refuse_malformed",
    "write_acts",
]

_MAX_REASON: Final = 500
_REASON: Final = text_form(_MAX_REASON)


@dataclass(frozen=True)
class ActLine:
    """One line of a book of acts as it counts, or does not.

    Attributes:
        act_id: The act it opens or belongs to; None when it cannot be read.
        members: The act's members, times aware.
        line_status: `valid` or `void`.
    """

    seq: int
    act_id: str | None
    action: str | None
    tenant_id: str | None
    members: Mapping[str, object]
    operator: str | None
    at: datetime | None
    reason: str | None
    line_status: str
    void_code: str | None
    line_sha256: str

    @property
    def valid(self) -> bool:
        """Whether the line counts."""
        return self.line_status == "valid"


def read_acts(
    home: Path,
    book: ActBook,
    operators: Mapping[str, Operator] | None,
    check: SignatureCheck,
    *,
    home_id: str,
) -> list[ActLine]:
    """Every line of a book, judged; safe to call immediately before a payment.

    Args:
        home: `TIEOUT_HOME`.
        book: Which book.
        operators: The registry by name, or None when there is none: then no line counts.
        check: Verifies one signature.
        home_id: Lines are signed for one home's books and count in no other.

    Raises:
        LandingError: The file cannot be read; the caller holds.
    """
    lines = read_lines(home / book.file)
    return _judged(home, book, lines, operators, check, home_id)


def write_acts(
    home: Path,
    book: ActBook,
    acts: Sequence[Mapping[str, object]],
    *,
    operator: str,
    signer: LineSigner,
    reason: str,
    at: datetime,
    home_id: str,
) -> list[str]:
    """Appends acts of one operator, all of them or none.

    Returns:
        The digest of each line.

    Raises:
        SettingError: An act is malformed (`act_malformed`).
        LandingError: Another line came first.
    """
    if not reason.strip() or not _REASON.fits(reason):
        raise _malformed(book, Malformed("reason", f"{_REASON.said}, not all blank"))
    for act in acts:
        refuse_malformed(book, act)
    path, head = home / book.file, home / book.head_file
    before = read_lines(path)
    damage = damage_of(head, before)
    last = before[-1].sha256 if before else GENESIS
    signed: list[tuple[dict[str, Any], list[dict[str, str]]]] = []
    for number, act in enumerate(acts, start=len(before) + 1):
        body = compose_line(
            path,
            {name: value for name, value in act.items() if value is not None},
            book=_book_name(book, home_id),
            at=at,
            reason=reason,
            operator=operator,
            place=(number, last),
        )
        signatures = [sign_line(body, signer)]
        signed.append((body, signatures))
        last = line_sha256(body, signatures)
    if damage is not None:
        # Damage that is already there is dated before these lines, which count.
        keep(head, before, damage)
    append_lines(path, signed)
    keep(head, read_lines(path), damage)
    return [line_sha256(body, signatures) for body, signatures in signed]


def refuse_malformed(book: ActBook, act: Mapping[str, object]) -> None:
    """Refuses an act that may not be written, for who wants to know before he looks anything up.

    Raises:
        SettingError: It is malformed (`act_malformed`).
    """
    malformed = why_refused(book, act)
    if malformed is not None:
        raise _malformed(book, malformed)


def land_acts(
    *,
    home: Path,
    book: ActBook,
    operators: Mapping[str, Operator] | None,
    check: SignatureCheck,
    home_id: str,
    landing: Landing,
    batch_id: str,
    now: datetime,
    erased: Collection[str] = (),
) -> BatchManifest | None:
    """Lands a book, void lines included, and remembers how far it reaches.

    Args:
        erased: Tenants whose lines stay in the book and are not landed again.

    Returns:
        The batch's manifest, or None when nothing changed.
    """
    lines = read_lines(home / book.file)
    judged = _judged(home, book, lines, operators, check, home_id)
    landing.ensure_schema([book.table])
    rows = (_row(line) for line in judged if line.tenant_id not in erased)
    manifest = landing.write(book.table, rows, batch_id=batch_id, received_at=now)
    head = home / book.head_file
    if lines or head.exists():
        keep(head, lines, damage_of(head, lines))
    return manifest


def lapsed_overrides(
    lines: Sequence[ActLine],
    landed: Iterable[tuple[int, str, str]],
    tenant_id: str,
    since: datetime,
    now: datetime,
) -> list[str]:
    """Overrides of a tenant that a decision may rest on and that no longer stand. Called before
    each payment, on the book as it is now.

    Args:
        lines: The overrides book now, from `read_acts`.
        landed: Number, digest and status of every line that the decision knew.
        tenant_id: The decision's tenant.
        since: The decision's as_of.
        now: The moment of the call.

    Returns:
        Ids of what was revoked since, became void, expired meanwhile, or is no longer in the book.
    """
    by_seq = {line.seq: line for line in lines}
    known: set[int] = set()
    ended: set[str] = set()
    for seq, sha256, status in landed:
        known.add(seq)
        line = by_seq.get(seq)
        if line is None or line.line_sha256 != sha256:
            ended.add(f"line {seq} of the book")
        elif status == "valid" and not line.valid and line.tenant_id == tenant_id:
            ended.add(str(line.act_id))
    for line in lines:
        if not line.valid or line.tenant_id != tenant_id:
            continue
        if line.action == "revoke" and line.seq not in known:
            ended.add(str(line.act_id))
        expires = line.members.get("expires_at")
        if isinstance(expires, datetime) and since < expires <= now:
            ended.add(str(line.act_id))
    return sorted(ended)


def _judged(
    home: Path,
    book: ActBook,
    lines: Sequence[Line],
    operators: Mapping[str, Operator] | None,
    check: SignatureCheck,
    home_id: str,
) -> list[ActLine]:
    name = _book_name(book, home_id)
    spoilt, code = 0, ""
    for line in lines:
        # A line of nobody's is void by itself; a genuine one out of place shows a changed past.
        genuine = operators is not None and is_signed(line, "operator", operators, check)
        if genuine and line.body and (not line.chained or line.body["book"] != name):
            spoilt, code = line.number, "chain_broken"
    damage = damage_of(home / book.head_file, lines)
    if damage is not None and damage[1] >= spoilt:
        code, spoilt = damage
    judged: list[ActLine] = []
    for line in lines:
        if operators is None:
            void: str | None = "registry_missing"
        elif line.number <= spoilt:
            void = code
        else:
            void = _why_void(book, line, operators, check)
        judged.append(_shown(book, line, void))
    return judged


def _why_void(
    book: ActBook, line: Line, operators: Mapping[str, Operator], check: SignatureCheck
) -> str | None:
    if line.body is None:
        return "unparsable"
    if not is_signed(line, "operator", operators, check):
        return why_unsigned(line, "operator", operators)
    malformed = why_malformed(book, _act_of(line))
    if malformed is not None:
        return "action_unknown" if malformed.member == "action" else "member_invalid"
    person, at = operators[line.body["operator"]], line.at
    if at is None or not person.may_loosen(at, book.name):
        return "role_missing"
    return None


def _act_of(line: Line) -> dict[str, Any]:
    """The members of the act itself, without those every line has."""
    common = {"type", "book", "seq", "prev", "at", "reason", "operator", "second_operator"}
    return {name: value for name, value in (line.body or {}).items() if name not in common}


def _act_id(book: ActBook, line: Line) -> str | None:
    if line.body is None:
        return None
    if line.body.get("action") in book.opening:
        return f"{book.prefix}_{line.sha256[:24]}"
    named = line.body.get("act_id")
    return named if type(named) is str and len(named) <= 40 else None


def _shown(book: ActBook, line: Line, void_code: str | None) -> ActLine:
    act = _act_of(line)
    sound = line.body is not None and why_malformed(book, act) is None

    def text(name: str) -> str | None:
        value = (line.body or {}).get(name)
        return value[:_MAX_REASON] if type(value) is str and "\0" not in value else None

    members = act_members(book, act) if sound else {}
    return ActLine(
        seq=line.number,
        act_id=_act_id(book, line),
        action=text("action"),
        tenant_id=text("tenant_id"),
        members={name: value for name, value in members.items() if name != "tenant_id"},
        operator=text("operator"),
        at=line.at,
        reason=text("reason"),
        line_status="valid" if void_code is None else "void",
        void_code=void_code,
        line_sha256=line.sha256,
    )


def _row(line: ActLine) -> dict[str, object]:
    names = ("seq", "act_id", "action", "tenant_id", "operator", "at", "reason")
    own = (*names, "line_status", "void_code", "line_sha256")
    members = {name: value for name, value in line.members.items() if name != "act_id"}
    return {**{name: getattr(line, name) for name in own}, **members}


def _book_name(book: ActBook, home_id: str) -> str:
    return f"{book.name}-{home_id}"


def _malformed(book: ActBook, malformed: Malformed) -> SettingError:
    return SettingError(
        got=f"an act for the book {book.name} whose {malformed.member} is missing or not of its "
        "form",
        expected=malformed.expected,
        remedy=f"Correct {malformed.member}; nothing was written",
        code="act_malformed",
    )
