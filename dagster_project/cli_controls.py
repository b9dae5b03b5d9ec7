"""`tieout controls`: show, set, arm and disarm what may be paid.

Belongs here: the subcommands. Does not belong here: the book of lines or who may sign
(`controls.py`, `ingest.controls`).

Arming takes one operator's key and works at once. Every loosening takes two different operators.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dagster_project.controls import (
    Signing,
    book_of,
    change,
    operators_of,
    signing_as,
    stray_scope,
)
from dagster_project.home import Home, open_home
from dagster_project.narration import EXIT_FOUND, EXIT_OK, answer, err, out, table
from dagster_project.notifying import tell_switch
from dagster_project.settings import Settings
from dagster_project.signing import DEMO_OPERATORS
from ingest.controls import ControlLine
from ingest.controls.switches import CONTROL_FIELDS, is_valid_value
from ingest.errors import SettingError, TieoutError

__all__ = ["controls_app"]

controls_app = typer.Typer(
    help="Signed switches and caps over payouts. Arming takes one operator, loosening two.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
TenantId = Annotated[str, typer.Option("--tenant-id", help="A tenant, or * for all.")]
ProviderId = Annotated[str | None, typer.Option("--provider-id", help="Default: all providers.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the line.")]
Name = Annotated[str | None, typer.Option("--operator", help="Who signs, as registered.")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="His private key.")]
SecondName = Annotated[str | None, typer.Option("--second-operator", help="Who signs too.")]
SecondKeyFile = Annotated[Path | None, typer.Option("--second-key-file", help="His key.")]


@controls_app.command()
def show(as_json: Json = False) -> None:
    """List every line, with those that do not count and why."""
    settings = Settings.from_env(os.environ)
    book = book_of(settings, open_home(settings))
    if as_json:
        answer({"broken": book.broken_code, "lines": [asdict(line) for line in book.lines]})
        return
    heads = ("seq", "at", "tenant", "provider", "act", "field", "value", "by", "counts", "reason")
    cells = [
        (
            line.seq,
            line.at,
            line.tenant_id,
            line.provider_id or "all",
            line.action,
            line.field,
            line.value,
            " + ".join(filter(None, (line.operator, line.second_operator))),
            line.void_code or "yes",
            line.reason,
        )
        for line in book.lines
    ]
    state = f" ({book.broken_code})" if book.broken_code else ""
    out.print(table(f"Controls{state}", heads, cells))
    if not cells:
        out.print("no operator line yet: the kernel's own controls apply alone")


@controls_app.command()
def kill(
    reason: Reason,
    tenant_id: TenantId = "*",
    provider_id: ProviderId = None,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Arm the payout kill switch; the next call is not made."""
    act = {"action": "kill", "value": True, "tenant_id": tenant_id, "provider_id": provider_id}
    _change(act, reason, (operator, key_file), None, as_json)


@controls_app.command()
def unkill(
    reason: Reason,
    tenant_id: TenantId = "*",
    provider_id: ProviderId = None,
    operator: Name = None,
    key_file: KeyFile = None,
    second_operator: SecondName = None,
    second_key_file: SecondKeyFile = None,
    as_json: Json = False,
) -> None:
    """Disarm it, with two operators; only decisions evaluated later pay."""
    act = {"action": "unkill", "value": False, "tenant_id": tenant_id, "provider_id": provider_id}
    _change(act, reason, (operator, key_file), (second_operator, second_key_file), as_json)


@controls_app.command("set")
def set_control(
    field: Annotated[str, typer.Argument(help="Such as max_payout_amount_cents.")],
    value: Annotated[str, typer.Argument(help='JSON: 50000, null, true, ["a"]...')],
    reason: Reason,
    tenant_id: TenantId = "*",
    provider_id: ProviderId = None,
    operator: Name = None,
    key_file: KeyFile = None,
    second_operator: SecondName = None,
    second_key_file: SecondKeyFile = None,
    as_json: Json = False,
) -> None:
    """Set one control; a first value and every loosening take two operators."""
    parsed = _json_value(value)
    _require_control(field, parsed)
    act = {
        "action": "set",
        "field": field,
        "value": parsed,
        "tenant_id": tenant_id,
        "provider_id": provider_id,
    }
    _change(act, reason, (operator, key_file), (second_operator, second_key_file), as_json)


def _require_control(field: str, value: object) -> None:
    """Misuse is told before a line is signed; a book keeps void lines, and none for a slip."""
    if field not in CONTROL_FIELDS:
        raise SettingError(
            got=f"control {field[:60]!r}",
            expected=f"one of {', '.join(sorted(CONTROL_FIELDS))}",
            remedy="Correct the name; nothing was written",
            code="control_unknown",
        )
    if not is_valid_value(field, value):
        raise SettingError(
            got=f"a value that {field} does not take",
            expected="what docs/operating.md says under Controls; null is explicitly unlimited",
            remedy="Correct the value; nothing was written",
            code="control_value_invalid",
        )


def _change(
    act: dict[str, Any],
    reason: str,
    first: tuple[str | None, Path | None],
    second: tuple[str | None, Path | None] | None,
    as_json: bool,
) -> None:
    settings = Settings.from_env(os.environ)
    home = open_home(settings)
    demo = settings.mode == "demo"
    signers = [_signing(settings, *first, default=DEMO_OPERATORS[0] if demo else None)]
    if second is not None and (second[0] or demo):
        signers.append(_signing(settings, *second, default=DEMO_OPERATORS[1] if demo else None))
    book = change(
        settings,
        home,
        act,
        at=datetime.now(UTC),
        reason=reason,
        first=signers[0],
        second=signers[1] if len(signers) > 1 else None,
    )
    _warn_of_nobody(home, book.lines[-1])
    if act["action"] == "kill":
        _notify(settings, book.lines[-1], signers[0][0])
    _tell(book.lines[-1], as_json)


def _notify(settings: Settings, line: ControlLine, by: str) -> None:
    """The switch is armed already, and stays so if nobody can be told."""
    if not line.valid or line.tenant_id is None:
        return
    missed = tell_switch(settings, line.tenant_id, line.provider_id, by)
    if missed:
        text = f"warning: {missed} of {len(settings.notify_urls)} addresses took no notice"
        err.print(f"{text}; the switch is armed", soft_wrap=True, markup=False)


def _signing(
    settings: Settings, name: str | None, key_file: Path | None, *, default: str | None
) -> Signing:
    name = name or default
    if name is None:
        known = ", ".join(operators_of(settings) or ()) or "none registered"
        raise SettingError(
            got="no operator named",
            expected=f"--operator with a registered name ({known})",
            remedy="Name who signs; TIEOUT_OPERATORS names the registry",
            code="operator_missing",
        )
    return signing_as(settings, name, key_file)


def _warn_of_nobody(home: Home, line: ControlLine) -> None:
    """The line is written already: whatever cannot be read now takes nothing from it."""
    try:
        stray = stray_scope(home, line.tenant_id, line.provider_id)
    except (TieoutError, OSError):
        return
    if line.valid and stray:
        text = f"warning: {stray}; the line counts and reaches nobody yet. Check the spelling"
        err.print(text, soft_wrap=True, markup=False)


def _tell(line: ControlLine, as_json: bool) -> None:
    if as_json:
        answer(asdict(line))
    elif line.valid:
        out.print(f"line {line.seq} counts: {line.action} {line.field} = {line.value}")
    else:
        out.print(f"line {line.seq} is void: {line.void_code}; it is kept and changes nothing")
    raise typer.Exit(EXIT_OK if line.valid else EXIT_FOUND)


def _json_value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        # Words such as net need no quotes on a command line.
        return text
