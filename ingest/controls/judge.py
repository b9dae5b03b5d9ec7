"""Judging operator lines of controls: which count, and why the others are void.

Belongs here: signatures against the registry, one key or two, the chain, and the meaning of an act.
Does not belong here: reading files (lines.py), the registry (registry.py), strictness
(switches.py), or landing (book.py).

Void codes: `unparsable`, `unsigned`, `unregistered`, `bad_signature`, `second_missing`,
`second_unsigned`, `second_unregistered`, `second_bad_signature`, `self_approved`, `role_missing`,
`scope_invalid`, `action_unknown`, `value_invalid`, `chain_broken`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ingest.controls.lines import Line, SignatureCheck
from ingest.controls.registry import Operator
from ingest.controls.signers import is_signed, why_unsigned
from ingest.controls.switches import (
    KILL_SWITCH,
    MAX_VALUE_TEXT,
    is_tightening,
    is_valid_value,
    value_text,
)

__all__ = ["ACTIONS", "EVERY_TENANT", "ControlLine", "Judge"]

EVERY_TENANT: Final = "*"
ACTIONS: Final = ("set", "kill", "unkill")
_MAX_TEXT: Final = 500


@dataclass(frozen=True)
class ControlLine:
    """One line as it counts, or does not.

    Attributes:
        seq: Its line number.
        tenant_id: `*` is every tenant; None when it cannot be read.
        provider_id: None is every provider.
        value: Canonical JSON text.
        action: `set`, `kill` or `unkill`.
        line_status: `valid` or `void`.
        void_code: Why it is void; `history_broken` on the book's own valid line.
    """

    seq: int
    tenant_id: str | None
    provider_id: str | None
    field: str | None
    value: str | None
    action: str | None
    operator: str | None
    second_operator: str | None
    at: datetime | None
    reason: str | None
    line_status: str
    void_code: str | None

    @property
    def valid(self) -> bool:
        """Whether the line counts."""
        return self.line_status == "valid"


class Judge:
    """Goes through the lines in order, knowing what was set before and whether the chain holds.

    Attributes:
        broken_code: Why the chain counts as broken after the last line judged, or None.
        mended_at: Number of the last line by which two operators took the book as it stands.
    """

    def __init__(
        self, operators: Mapping[str, Operator], check: SignatureCheck, book: str | None
    ) -> None:
        self._operators = operators
        self._check = check
        self._book = book
        self._set: dict[tuple[object, object, str], object] = {}
        self.broken_code: str | None = None
        self.mended_at = 0

    def line(self, line: Line) -> ControlLine:
        """Judges the next line."""
        body = line.body
        if body is None:
            return _shown(line, {}, "unparsable")
        signers = [name for name in ("operator", "second_operator") if self._signed(line, name)]
        if "operator" not in signers:
            return _shown(line, body, self._why_unsigned(line))
        self._book = self._book or body["book"]
        if not line.chained or body["book"] != self._book:
            # Somebody removed, inserted or reordered what stood before a line that is genuine.
            self.broken_code = "chain_broken"
        code = _why_meaningless(body)
        if code is None:
            scope = (body["tenant_id"], body["provider_id"], body["field"])
            before = (self._set[scope],) if scope in self._set else None
            if not is_tightening(body["field"], body["value"], before):
                code = self._why_not_loosened(line, body, signers)
            if code is None:
                self._set[scope] = body["value"]
        return _shown(line, body, code)

    def _why_not_loosened(
        self, line: Line, body: Mapping[str, Any], signers: Sequence[str]
    ) -> str | None:
        first, second = body["operator"], body["second_operator"]
        if second is None:
            return "second_missing"
        if first == second:
            return "self_approved"
        if "second_operator" not in signers:
            return self._why_unsigned(line, "second_operator")
        people = [self._operators[first], self._operators[second]]
        if people[0].keyid == people[1].keyid:
            return "self_approved"
        at = line.at
        if at is None or not all(person.may_loosen(at) for person in people):
            return "role_missing"
        mends = body["action"] == "unkill" and body["tenant_id"] == EVERY_TENANT
        if not line.chained or body["book"] != self._book:
            return "chain_broken"
        if mends and body["provider_id"] is None:
            self.broken_code, self.mended_at = None, line.number
        return "chain_broken" if self.broken_code else None

    def _signed(self, line: Line, role: str) -> bool:
        return is_signed(line, role, self._operators, self._check)

    def _why_unsigned(self, line: Line, role: str = "operator") -> str:
        prefix = "" if role == "operator" else "second_"
        return prefix + why_unsigned(line, role, self._operators)


def _why_meaningless(body: Mapping[str, Any]) -> str | None:
    """Why a line says nothing that could be done, or None."""
    tenant, provider, field = (body.get(n) for n in ("tenant_id", "provider_id", "field"))
    if type(tenant) is not str or type(provider) not in (str, type(None)) or not tenant:
        return "scope_invalid"
    action = body.get("action")
    if action not in ACTIONS:
        return "action_unknown"
    if type(field) is not str or "value" not in body or not is_valid_value(field, body["value"]):
        return "value_invalid"
    if action != "set" and (field, body["value"]) != (KILL_SWITCH, action == "kill"):
        return "value_invalid"
    return None


def _shown(line: Line, body: Mapping[str, Any], void_code: str | None) -> ControlLine:
    def text(name: str) -> str | None:
        value = body.get(name)
        return value[:_MAX_TEXT] if type(value) is str and "\0" not in value else None

    value = None
    if "value" in body:
        value = value_text(body["value"])[:MAX_VALUE_TEXT]
    return ControlLine(
        seq=line.number,
        tenant_id=text("tenant_id"),
        provider_id=text("provider_id"),
        field=text("field"),
        value=value,
        action=text("action"),
        operator=text("operator"),
        second_operator=text("second_operator"),
        at=line.at,
        reason=text("reason"),
        line_status="valid" if void_code is None else "void",
        void_code=void_code,
    )
