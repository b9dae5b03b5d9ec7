"""What the commands of people's acts share: who signs, writing a line, and telling what it did.

Belongs here: options and helpers of `cli_overrides.py` and its neighbours. Does not belong here: a
command.

Every one of them: exit code 0 when the line counts, 1 when it was refused or is void, 2 for misuse.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from dagster_project.acting import acts_of, write_acts
from dagster_project.auditing import record_acts
from dagster_project.controls import Signing, operators_of, signing_as
from dagster_project.home import Home, open_home
from dagster_project.narration import EXIT_FOUND, EXIT_OK, answer, out, table
from dagster_project.settings import Settings, home_of
from dagster_project.signing import DEMO_OPERATORS
from ingest.controls import ActBook, ActLine
from ingest.errors import SettingError, TieoutError

__all__ = [
    "FIRST",
    "SECOND",
    "Json",
    "KeyFile",
    "Name",
    "Reason",
    "TenantId",
    "decide",
    "existing_home",
    "list_book",
    "proposal_of",
    "refuse_ended",
    "refuse_own",
    "shown_line",
    "signing_of",
    "tell",
    "utc_time",
    "write",
]

# Which demo operator signs when nobody is named: one proposes, the other approves.
FIRST: Final = 0
SECOND: Final = 1

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
TenantId = Annotated[str | None, typer.Option("--tenant-id", help="Only this tenant.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the line.")]
Name = Annotated[str | None, typer.Option("--operator", help="Who signs, as registered.")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="His private key.")]


def existing_home() -> tuple[Settings, Home]:
    """The settings and their home, which must be there already: acts are about what was run."""
    settings = Settings.from_env(os.environ)
    root = home_of(os.environ)
    if not root.exists():
        raise SettingError(
            got=f"no home at {root}",
            expected="the folder of an earlier run",
            remedy="Run `tieout demo` or `tieout run` first, or set TIEOUT_HOME",
            code="home_missing",
        )
    return settings, open_home(settings)


def signing_of(
    settings: Settings, name: str | None, key_file: Path | None, *, demo: int = FIRST
) -> Signing:
    """Who signs: as named, or in a demo home the demo operator of this number."""
    if name is None and settings.mode == "demo":
        name = DEMO_OPERATORS[demo]
    if name is None:
        known = ", ".join(operators_of(settings) or ()) or "none registered"
        raise SettingError(
            got="no operator named",
            expected=f"--operator with a registered name ({known})",
            remedy="Name who signs; TIEOUT_OPERATORS names the registry",
            code="operator_missing",
        )
    return signing_as(settings, name, key_file)


def write(
    settings: Settings,
    home: Home,
    book: ActBook,
    acts: Sequence[Mapping[str, object]],
    *,
    reason: str,
    by: Signing,
) -> list[ActLine]:
    """Appends acts and records them in the audit trail."""
    now = datetime.now(UTC).replace(microsecond=0)
    lines = write_acts(settings, home, book, acts, at=now, reason=reason, by=by)
    record_acts(settings, home)
    return lines


def decide(
    book: ActBook,
    action: str,
    act_id: str,
    *,
    reason: str,
    by: tuple[str | None, Path | None],
    as_json: bool,
    worth: Callable[[Home, ActLine], str] | None = None,
) -> None:
    """Approves or revokes a proposal of a book.

    Args:
        worth: Says what the approval of a proposal does, or refuses one that would do nothing.
    """
    settings, home = existing_home()
    signer = signing_of(settings, *by, demo=SECOND if action == "approve" else FIRST)
    proposal = proposal_of(settings, home, book, act_id)
    refuse_ended(acts_of(settings, home, book), proposal, action)
    said = None
    if action == "approve":
        refuse_own(proposal, signer)
        said = worth(home, proposal) if worth is not None else None
    act = {"action": action, "tenant_id": proposal.tenant_id, "act_id": act_id}
    tell(write(settings, home, book, [act], reason=reason, by=signer), as_json, said)


def proposal_of(settings: Settings, home: Home, book: ActBook, act_id: str) -> ActLine:
    """The proposal that an id names.

    Raises:
        TieoutError: There is none, or its line is void.
    """
    for line in acts_of(settings, home, book):
        if line.act_id == act_id and line.action == "propose":
            if line.valid:
                return line
            raise TieoutError(
                got=f"{act_id}, whose line is void ({line.void_code})",
                expected="a proposal that counts",
                remedy="Propose again",
                code="proposal_void",
            )
    raise TieoutError(
        got=f"no proposal {act_id[:40]!r} in the book {book.name}",
        expected="the id that `propose` printed",
        remedy=f"Look it up in controls/{book.name}.jsonl or in the published table",
        code="proposal_unknown",
    )


def refuse_ended(lines: Sequence[ActLine], proposal: ActLine, action: str) -> None:
    """A proposal that was decided, revoked or is over takes no further approval.

    Raises:
        TieoutError: It did; a revocation ends what was approved, and nothing ends twice.
    """
    ending = ("approve", "revoke") if action == "approve" else ("revoke",)
    for line in lines:
        counts = line.valid and line.act_id == proposal.act_id and line.action in ending
        # An approval by the proposer himself decides nothing.
        if counts and not (line.action == "approve" and line.operator == proposal.operator):
            raise TieoutError(
                got=f"{proposal.act_id}, which {line.operator} decided already ({line.action})",
                expected="a proposal that waits" if action == "approve" else "one that stands",
                remedy="Propose again if it should count anew; nothing was written",
                code="already_decided",
            )
    expires = proposal.members.get("expires_at")
    if action == "approve" and isinstance(expires, datetime) and expires <= datetime.now(UTC):
        raise TieoutError(
            got=f"{proposal.act_id}, which ended at {expires:%Y-%m-%d %H:%M} UTC",
            expected="a proposal whose end is still to come",
            remedy="Propose again with a later --expires; nothing was written",
            code="expired",
        )


def refuse_own(proposal: ActLine, signer: Signing) -> None:
    """Nobody approves what he proposed; the models would void it, and here it is not written."""
    if proposal.operator == signer[0]:
        raise TieoutError(
            got=f"{signer[0]} approving his own proposal",
            expected="another operator, with another key",
            remedy="Have somebody else approve it; nothing was written",
            code="self_approved",
        )


def tell(lines: Sequence[ActLine], as_json: bool, worth: str | None = None) -> None:
    """Says what each line did and what that is worth, and ends the command."""
    void = [line for line in lines if not line.valid]
    if as_json:
        shown = [shown_line(line) | ({"worth": worth} if worth else {}) for line in lines]
        answer(shown[0] if len(shown) == 1 else shown)
    for line in [] if as_json else lines:
        counts = "counts" if line.valid else f"is void: {line.void_code}"
        out.print(f"{line.act_id}  line {line.seq} ({line.action}) {counts}", soft_wrap=True)
        if worth and line.valid:
            out.print(escape(worth), soft_wrap=True)
    if not as_json and not void:
        out.print("the next `tieout run` shows it")
    raise typer.Exit(EXIT_FOUND if void else EXIT_OK)


def list_book(
    word: str, standing: Iterable[str], lines: Sequence[ActLine], subject: str, as_json: bool
) -> None:
    """Tells what stands by a book, and every line of it.

    Args:
        word: What became of what stands, such as `departed`.
        standing: What stands.
        lines: Every line of the book, void ones too.
        subject: What the lines are about: `account` or `tenant`.
        as_json: Answer in JSON.
    """
    names = sorted(standing)
    if as_json:
        answer({word: names, "lines": [shown_line(line) for line in lines]})
        return
    out.print(f"{word}: {escape(', '.join(names)) or 'none'}")
    cells = []
    for line in lines:
        shown = shown_line(line)
        about = shown.get(f"{subject}_id")
        cells.append((line.act_id, line.action, about, line.operator, line.line_status))
    out.print(table("Lines", ("id", "action", subject, "operator", "counts"), cells))


def shown_line(line: ActLine) -> dict[str, Any]:
    """A line as JSON answers spell it."""
    return {
        "id": line.act_id,
        "seq": line.seq,
        "action": line.action,
        "tenant_id": line.tenant_id,
        **{name: value for name, value in line.members.items() if name != "act_id"},
        "operator": line.operator,
        "at": line.at,
        "reason": line.reason,
        "line_status": line.line_status,
        "void_code": line.void_code,
    }


def utc_time(option: str, text: str) -> str:
    """A time as lines spell it: whole seconds, UTC."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(
            got=f"{option} {text[:40]!r}",
            expected="an ISO 8601 time such as 2026-12-31T23:59:59Z",
            remedy=f"Correct {option}",
            code="time_malformed",
        ) from None
    value = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")
