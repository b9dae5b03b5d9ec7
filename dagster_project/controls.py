"""Operator controls of a home: who may sign, and what the book says.

Belongs here: handing keys, the registry and the signature check to `ingest.controls`. Does not
belong here: the form of a line, which change loosens (`ingest.controls`), or what changed since a
decision (`controls_watch.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from dagster_project.home import Home, read_state
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.signing import DEMO_OPERATORS, demo_operator, load_signer
from evidence.artifacts import is_signed_by
from evidence.keys import KeySigner, public_key_pem
from ingest.controls import (
    ACT_BOOKS,
    ControlBook,
    Operator,
    append_control,
    compose_control,
    load_operators,
    read_book,
    sign_line,
)
from ingest.controls import land_controls as land_book
from ingest.controls.judge import EVERY_TENANT
from ingest.errors import SettingError
from ingest.kernel.rail_types import MONEY_RAIL_CONTROLS, MONEY_RAIL_PROVIDERS
from ingest.landing import Landing

__all__ = [
    "Signing",
    "book_of",
    "change",
    "home_id_of",
    "land_controls",
    "operators_of",
    "signing_as",
    "stray_scope",
]


Signing = tuple[str, KeySigner]
"""An operator's name and his key."""


def operators_of(settings: Settings) -> dict[str, Operator] | None:
    """The registry by name; None when a home that is not a demo was given none."""
    if settings.mode == "demo":
        return {name: _demo_entry(name) for name in DEMO_OPERATORS}
    return load_operators(settings.operators) if settings.operators else None


def stray_scope(home: Home, tenant_id: str | None, provider_id: str | None) -> str | None:
    """What a line names that nothing here belongs to, or None; nobody is known before a first run.

    A switch for a misspelt tenant is armed and stops nobody, so whoever arms it must be told.

    Raises:
        TieoutError, OSError: The landed tables cannot be read.
    """
    landing = Landing(home.root)
    known = landing.distinct(MONEY_RAIL_PROVIDERS.spec, ("tenant_id", "provider_id"))
    tenants = {str(tenant) for tenant, _ in known}
    tenants |= {str(t) for (t,) in landing.distinct(MONEY_RAIL_CONTROLS.spec, ("tenant_id",))}
    if tenants and tenant_id != EVERY_TENANT and tenant_id not in tenants:
        return f"no tenant {tenant_id!r} is known here"
    here = {str(p) for tenant, p in known if tenant_id in (EVERY_TENANT, tenant)}
    if here and provider_id is not None and provider_id not in here:
        return f"no provider {provider_id!r} is known there, only {', '.join(sorted(here))}"
    return None


def book_of(settings: Settings, home: Home) -> ControlBook:
    """The home's control lines, judged."""
    return read_book(home.root, operators_of(settings), is_signed_by, book=_book_name(home))


def land_controls(
    session: Session, received_at: datetime, batch_id: str, erased: Collection[str] = ()
) -> int:
    """Lands the operator lines that are not landed yet; returns how many.

    Args:
        erased: Tenants of whom nothing is landed any more.
    """
    _, manifest = land_book(
        home=session.home.root,
        operators=operators_of(session.settings),
        check=is_signed_by,
        landing=session.landing,
        batch_id=batch_id,
        now=received_at,
        book=_book_name(session.home),
        erased=erased,
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


def _book_name(home: Home) -> str:
    """Lines are signed for one home's book and count in no other."""
    return f"controls-{home_id_of(home)}"


def home_id_of(home: Home) -> str:
    """What the lines of this home's books are signed for."""
    return str(read_state(home.state / "home.json")["home_id"])


def _demo_entry(name: str) -> Operator:
    signer = demo_operator(name)
    pem = public_key_pem(signer.public_key).encode()
    roles = frozenset({"controls", *(book.name for book in ACT_BOOKS)})
    return Operator(name, signer.keyid, pem, roles)
