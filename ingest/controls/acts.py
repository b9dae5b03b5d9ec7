"""What each book of people's acts may say: its actions and the members of their lines.

Belongs here: names, forms and limits of members. Does not belong here: signatures and the chain
(act_book.py), or whether an act has an effect: two people, expiry and amounts are judged in SQL,
where everybody can see why.

An act that needs two people is two lines: `propose` by one, and `approve` by another that names the
proposal's id. The id follows from the bytes of the proposal, so what is approved is what was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ingest.controls.tables import (
    CERTIFICATIONS,
    DEPARTURES,
    ERASURES,
    OVERRIDES,
    TRIAGE,
    WRITE_OFFS,
)
from ingest.tables import TIMESTAMP, TableSpec

__all__ = [
    "ACT_BOOKS",
    "CERTIFICATION_BOOK",
    "CLOSING_STATUSES",
    "DEPARTURE_BOOK",
    "ERASURE_BOOK",
    "OVERRIDE_BOOK",
    "RESOLUTIONS",
    "TRIAGE_BOOK",
    "TRIAGE_STATUSES",
    "WRITE_OFF_BOOK",
    "ActBook",
    "Malformed",
    "act_members",
    "why_malformed",
    "why_refused",
]

TRIAGE_STATUSES: Final = ("open", "acknowledged", "in_progress", "resolved", "dismissed")
CLOSING_STATUSES: Final = ("resolved", "dismissed")
RESOLUTIONS: Final = (
    "auto_cleared",
    "fixed_by_booking",
    "accepted_by_business",
    "written_off",
    "merged_duplicate",
    "source_corrected",
    "expired_override",
)
MAX_NOTE: Final = 500
_MAX_CENTS: Final = (1 << 53) - 1
_SHA: Final = re.compile(r"[0-9a-f]{64}")
_PERIOD: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_CURRENCY: Final = re.compile(r"[A-Z][A-Z0-9_]{2,11}")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{2,79}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,100}")
_ACT_ID: Final = re.compile(r"[a-z]{3}_[0-9a-f]{24}")
# Neither blanks nor an @: no credentials in an address, and no person's own address. Lines with
# http:// were written once and count; none is written any more (`why_refused`).
_LINK: Final = re.compile(r"https?://[^\s@]{1,400}|packet:[0-9a-f]{64}")


class Form(NamedTuple):
    """What a member may be: a check, and the same in words."""

    fits: Callable[[Any], bool]
    said: str


class Malformed(NamedTuple):
    """A member of an act that is missing, unknown or not of its form, and what was expected of it.
    Its value is not in here: it may be a secret that somebody pasted."""

    member: str
    expected: str


def _matches(pattern: re.Pattern[str], said: str) -> Form:
    return Form(lambda value: type(value) is str and bool(pattern.fullmatch(value)), said)


def text_form(limit: int) -> Form:
    """Text of one line."""
    return Form(
        lambda v: type(v) is str and 0 < len(v) <= limit and v.isprintable(),
        f"1 to {limit} printable characters on one line",
    )


def _one_of(*names: str) -> Form:
    return Form(lambda value: value in names, f"one of {', '.join(names)}")


def _is_time(value: Any) -> bool:
    try:
        return (
            type(value) is str
            and bool(_TIME.fullmatch(value))
            and bool(datetime.fromisoformat(value))
        )
    except ValueError:
        return False


def _is_amount(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MAX_CENTS


def _is_signed_amount(value: Any) -> bool:
    return type(value) is int and abs(value) <= _MAX_CENTS


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_CENTS


_ID: Final = text_form(300)
_AMOUNT: Final = Form(_is_amount, f"a whole number of minor units from 1 to {_MAX_CENTS}")
_COUNT: Final = Form(_is_count, f"a whole number from 0 to {_MAX_CENTS}")
_DIGEST: Final = _matches(_SHA, "64 lower-case hex digits")
_CAPITALS: Final = _matches(_CODE, "a code of 3 to 80 characters such as OPEN_BREAK")
_MOMENT: Final = Form(_is_time, "a time such as 2026-12-31T17:00:00Z")
_MEMBERS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "account_id": _matches(_ACCOUNT, "acct_ and 1 to 100 letters, digits or underscores"),
        "act_id": _matches(_ACT_ID, "an id as `propose` printed it"),
        "amount_cents": _AMOUNT,
        "batches": _COUNT,
        "break_id": _ID,
        "condition_code": _CAPITALS,
        "currency": _matches(_CURRENCY, "a currency code such as USD"),
        "drift_cents": Form(
            _is_signed_amount, f"a whole number of minor units within {_MAX_CENTS} of zero"
        ),
        "due_at": _MOMENT,
        "entry_kind": _one_of("write_off", "repayment"),
        "evidence_url": _matches(
            _LINK,
            "https:// and 1 to 400 characters without blanks or @, or packet: and 64 lower-case "
            "hex digits",
        ),
        "expires_at": _MOMENT,
        "figures_sha256": _DIGEST,
        "note": text_form(MAX_NOTE),
        "open_items": _COUNT,
        "observed": Form(
            lambda value: type(value) is str and len(value) <= 500, "at most 500 characters"
        ),
        "owner": text_form(80),
        "packet_sha256": _DIGEST,
        "party_id": _ID,
        "payout_key": _ID,
        "period": _matches(_PERIOD, "a month such as 2026-10"),
        "reason_code": _CAPITALS,
        "resolution": _one_of(*RESOLUTIONS),
        "row_count": _COUNT,
        "run_id": text_form(60),
        "tenant_id": _ID,
        "triage_status": _one_of(*TRIAGE_STATUSES),
        "verdict": _one_of("reconciled", "reconciled_with_pending", "reconciled_with_warnings"),
    }
)


@dataclass(frozen=True)
class ActBook:
    """One book of people's acts.

    Attributes:
        name: Stem of its file under `controls/`, part of what its lines are signed for, and the
            role that its signers need.
        prefix: Begins the ids of its acts.
        table: Where its lines land.
        actions: Members of each action, the optional ones ending in `?`.
        opening: Actions whose own line gives the act its id; the others name one.
    """

    name: str
    prefix: str
    table: TableSpec
    actions: Mapping[str, tuple[str, ...]]
    opening: tuple[str, ...] = ("propose",)

    @property
    def file(self) -> Path:
        """The book's file below a home."""
        return Path("controls") / f"{self.name}.jsonl"

    @property
    def head_file(self) -> Path:
        """Where is kept how far the book reached."""
        return Path("state") / f"{self.name}.head.json"


_DECIDE: Final = {"approve": ("tenant_id", "act_id"), "revoke": ("tenant_id", "act_id")}

OVERRIDE_BOOK: Final = ActBook(
    "overrides",
    "ovr",
    OVERRIDES,
    {
        "propose": (
            "tenant_id",
            *("break_id?", "payout_key?", "condition_code?", "observed?"),
            *("reason_code?", "drift_cents?"),
            *("amount_cents", "currency", "evidence_url", "expires_at"),
        ),
        **_DECIDE,
    },
)
WRITE_OFF_BOOK: Final = ActBook(
    "write_offs",
    "wof",
    WRITE_OFFS,
    {
        "propose": (
            "tenant_id",
            *("entry_kind", "party_id?", "break_id?", "drift_cents?"),
            *("amount_cents", "currency", "evidence_url"),
        ),
        **_DECIDE,
    },
)
CERTIFICATION_BOOK: Final = ActBook(
    "certifications",
    "crt",
    CERTIFICATIONS,
    {
        "propose": (
            "tenant_id",
            *("period", "verdict", "run_id", "packet_sha256", "figures_sha256"),
        ),
        "approve": ("tenant_id", "act_id", "figures_sha256"),
        "revoke": ("tenant_id", "act_id"),
    },
)
TRIAGE_BOOK: Final = ActBook(
    "triage",
    "tri",
    TRIAGE,
    {
        "assign": ("tenant_id", "break_id", "owner", "due_at?", "triage_status?"),
        "note": ("tenant_id", "break_id", "note", "triage_status?"),
        "resolve": ("tenant_id", "break_id", "triage_status", "resolution?", "note?"),
        "import": (
            "tenant_id",
            "break_id",
            *("triage_status?", "owner?", "due_at?", "note?", "resolution?"),
        ),
    },
    opening=("assign", "note", "resolve", "import"),
)
ERASURE_BOOK: Final = ActBook(
    "erasures",
    "era",
    ERASURES,
    {
        "propose": ("tenant_id", "open_items", "expires_at"),
        **_DECIDE,
        "done": ("tenant_id", "act_id", "batches", "row_count"),
    },
)

# An account that left the platform: not to be read any more, and no gap in what was read.
DEPARTURE_BOOK: Final = ActBook(
    "departures",
    "dep",
    DEPARTURES,
    {"propose": ("tenant_id", "account_id"), **_DECIDE},
)

ACT_BOOKS: Final = (
    OVERRIDE_BOOK,
    WRITE_OFF_BOOK,
    CERTIFICATION_BOOK,
    TRIAGE_BOOK,
    ERASURE_BOOK,
    DEPARTURE_BOOK,
)


def why_malformed(book: ActBook, act: Mapping[str, Any]) -> Malformed | None:
    """What is wrong with the form of an act, new or written long ago; its member is `action` for
    an unknown action.

    Returns:
        None when a line of it may count.
    """
    listed = book.actions.get(str(act.get("action")))
    if listed is None:
        return Malformed("action", f"one of {', '.join(book.actions)}")
    names = {name.removesuffix("?"): name.endswith("?") for name in listed}
    for name in sorted(act.keys() - names.keys() - {"action"}):
        return Malformed(str(name), f"no member but {', '.join(names)}")
    for name, optional in names.items():
        value = act.get(name)
        if value is None and optional:
            continue
        if not _MEMBERS[name].fits(value):
            return Malformed(name, _MEMBERS[name].said)
    return _why_contradicting(book, act)


def why_refused(book: ActBook, act: Mapping[str, Any]) -> Malformed | None:
    """What stands against writing an act now: its form, or what earlier lines were allowed. Those
    stand as two people signed them: a stricter form would void what they decided.

    Returns:
        None when the act may be written.
    """
    malformed = why_malformed(book, act)
    if malformed is not None:
        return malformed
    if str(act.get("evidence_url")).startswith("http://"):
        return Malformed("evidence_url", _MEMBERS["evidence_url"].said)
    if act.get("triage_status") in CLOSING_STATUSES and act.get("resolution") is None:
        said = _MEMBERS["resolution"].said
        return Malformed("resolution", f"{said}, beside {act['triage_status']}")
    return None


def act_members(book: ActBook, act: Mapping[str, Any]) -> dict[str, object]:
    """Members of an act as its table holds them; times are aware."""
    listed = {column.name: column.type for column in book.table.columns}
    found: dict[str, object] = {}
    for name, value in act.items():
        if name in _MEMBERS and name in listed and value is not None:
            is_time = listed[name] == TIMESTAMP
            found[name] = datetime.fromisoformat(value) if is_time else value
    return found


def _why_contradicting(book: ActBook, act: Mapping[str, Any]) -> Malformed | None:
    """Members that are well-formed each and say nothing together."""
    if book is OVERRIDE_BOOK and act["action"] == "propose":
        of_break = {"break_id", "reason_code", "drift_cents"}
        of_condition = {"payout_key", "condition_code", "observed"}
        given = {name for name in of_break | of_condition if act.get(name) is not None}
        if given in (of_break, of_condition):
            return None
        return Malformed(
            "break_id",
            "either break_id, reason_code and drift_cents or payout_key, condition_code and "
            "observed",
        )
    if book is WRITE_OFF_BOOK and act["action"] == "propose":
        return _why_not_written_off(act)
    if book is TRIAGE_BOOK and act.get("resolution") is not None:
        if act.get("triage_status") in CLOSING_STATUSES:
            return None
        said = ", ".join(CLOSING_STATUSES)
        return Malformed("triage_status", f"one of {said} beside a resolution")
    return None


def _why_not_written_off(act: Mapping[str, Any]) -> Malformed | None:
    """A break is closed by its whole drift, sign included; a debt has none."""
    drift = act.get("drift_cents")
    if act.get("break_id") is None:
        return None if drift is None else Malformed("drift_cents", "none without break_id")
    if act["entry_kind"] != "write_off":
        return Malformed("entry_kind", "write_off beside break_id: a break is not repaid")
    if drift is not None and abs(drift) == act["amount_cents"]:
        return None
    return Malformed("drift_cents", "the whole drift of the break, as large as amount_cents")
