"""Operator controls of a home: who may sign, what the book says, and what changed since a decision.

Belongs here: handing keys, the registry and the signature check to `ingest.controls`. Does not
belong here: the form of a line, or which change loosens (`ingest.controls`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from dagster_project.home import Home, read_state
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.signing import DEMO_OPERATORS, demo_operator, load_signer
from evidence.artifacts import KernelArtifacts, is_signed_by
from evidence.keys import KeySigner, public_key_pem
from ingest.controls import (
    ControlBook,
    Operator,
    append_control,
    compose_control,
    load_operators,
    read_book,
    sign_line,
)
from ingest.controls import land_controls as land_book
from ingest.errors import SettingError
from ingest.kernel.rail_types import MONEY_RAIL_CONTROLS
from ingest.kernel.reading import ExportRoot, LineReader
from ingest.kernel.tables import MAX_LINE_BYTES
from ingest.tables import CONTROLS

__all__ = [
    "Signing",
    "book_of",
    "change",
    "changed_since",
    "land_controls",
    "operators_of",
    "signing_as",
]

CHANGED: Final = "CONTROLS_CHANGED"
KILLED: Final = "PAYOUT_KILL_SWITCH_ACTIVE"

Signing = tuple[str, KeySigner]
"""An operator's name and his key."""


def operators_of(settings: Settings) -> dict[str, Operator] | None:
    """The registry by name; None when a home that is not a demo was given none."""
    if settings.mode == "demo":
        return {name: _demo_entry(name) for name in DEMO_OPERATORS}
    return load_operators(settings.operators) if settings.operators else None


def book_of(settings: Settings, home: Home) -> ControlBook:
    """The home's control lines, judged."""
    return read_book(home.root, operators_of(settings), is_signed_by, book=_book_name(home))


def land_controls(session: Session, received_at: datetime, batch_id: str) -> int:
    """Lands the operator lines that are not landed yet; returns how many."""
    _, manifest = land_book(
        home=session.home.root,
        operators=operators_of(session.settings),
        check=is_signed_by,
        landing=session.landing,
        batch_id=batch_id,
        now=received_at,
        book=_book_name(session.home),
    )
    return manifest.rows if manifest else 0


def signing_as(settings: Settings, name: str, key_file: Path | None) -> Signing:
    """The key of an operator; the two demo operators need no file.

    Raises:
        SettingError: No key file outside a demo, or one that cannot be used.
    """
    if settings.mode == "demo" and name in DEMO_OPERATORS and key_file is None:
        return name, demo_operator(name)
    if key_file is None:
        raise SettingError(
            got=f"no key for operator {name[:80]!r}",
            expected="the file of his own private key",
            remedy="Name it with --key-file (or --second-key-file)",
            code="operator_key_missing",
        )
    return name, load_signer(key_file, settings)


def change(
    settings: Settings,
    home: Home,
    act: Mapping[str, Any],
    *,
    at: datetime,
    reason: str,
    first: Signing,
    second: Signing | None,
) -> ControlBook:
    """Appends one signed line and returns the book with it; the last line tells if it counts.

    Args:
        settings: The settings.
        home: The home.
        act: `action`, `value`, and optionally `field`, `tenant_id`, `provider_id`.
        at: When.
        reason: Why.
        first: Who signs.
        second: Who signs beside him; a loosening needs him.
    """
    body = compose_control(
        home.root,
        **act,
        book=_book_name(home),
        at=at,
        reason=reason,
        operator=first[0],
        second_operator=second[0] if second else None,
    )
    signers = [first, second] if second else [first]
    append_control(home.root, body, [sign_line(body, signer) for _, signer in signers])
    return book_of(settings, home)


def changed_since(
    session: Session, tenant_id: str, provider_id: str, since: datetime
) -> tuple[str, ...]:
    """Codes for controls that now hold, or that a decision of `since` cannot have known.

    Raises:
        TieoutError: Operator lines or kernel controls cannot be read; the caller holds.
    """
    book = book_of(session.settings, session.home)
    codes = [KILLED] if book.is_killed(tenant_id, provider_id) else []
    landed = session.landing.rows(CONTROLS, ("seq", "received_at"))
    known = {seq for seq, received_at in landed if _at(received_at) <= since}
    newer = [
        line
        for line in book.lines
        if line.valid
        and line.seq not in known
        and line.tenant_id in ("*", tenant_id)
        and line.provider_id in (None, provider_id)
    ]
    if newer or _kernel_changed(session, tenant_id, since):
        codes.append(CHANGED)
    return tuple(codes)


def _kernel_changed(session: Session, tenant_id: str, since: datetime) -> bool:
    """Whether the tenant's newest exported kernel controls say other than the decision knew.

    A repeated statement with a later `updatedAt` is no change: the kernel renews its controls so
    that they do not grow stale.
    """
    names = ("tenant_id", "canonical_json", "received_at")
    known = [
        orjson.loads(str(text))
        for tenant, text, received_at in session.landing.rows(MONEY_RAIL_CONTROLS.spec, names)
        if tenant == tenant_id and _at(received_at) <= since
    ]
    stated = _stated_controls(session, tenant_id)
    if not known or not stated:
        return True
    before, now = _newest_terms(known), _newest_terms(stated)
    return any(terms not in before for terms in now)


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


def _newest_terms(controls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the newest statements say, without when they say it."""
    times = [datetime.fromisoformat(str(stated["updatedAt"])) for stated in controls]
    newest = max(times)
    return [
        {name: value for name, value in stated.items() if name != "updatedAt"}
        for at, stated in zip(times, controls, strict=True)
        if at == newest
    ]


def _at(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def _book_name(home: Home) -> str:
    """Lines are signed for one home's book and count in no other."""
    return f"controls-{read_state(home.state / 'home.json')['home_id']}"


def _demo_entry(name: str) -> Operator:
    signer = demo_operator(name)
    pem = public_key_pem(signer.public_key).encode()
    return Operator(name, signer.keyid, pem, frozenset({"controls"}))
