"""What an operator may set, and which change of it tightens and which loosens.

Belongs here: the control fields, the values each takes, and the order of strictness. Does not
belong here: lines, signatures, or what a gate concludes from a value.

A change counts as tightening only when that is certain: the value is the strictest of its field, or
it is at least as strict as the one set before for exactly the same tenant and provider. Everything
else loosens, a first value among them, because an absent control holds.

Null, zero and absent are three things. Of a cap or threshold, null is explicitly unlimited, 0 lets
nothing pass, and absent leaves the kernel's own (a cap that neither states holds). Of a list of
providers, null means all of them, an empty list none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

__all__ = [
    "CONTROL_FIELDS",
    "KILL_SWITCH",
    "MAX_VALUE_TEXT",
    "is_tightening",
    "is_valid_value",
    "value_text",
]

KILL_SWITCH: Final = "payout_kill_switch"
_MAX_CENTS: Final = (1 << 53) - 1
_MAX_IDS: Final = 1_000
MAX_VALUE_TEXT: Final = 4_000
_PLAIN: Final = re.compile(r"[!#-\[\]-~]{1,200}")
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,64}")


class _Field:
    """One control: which values it takes and whether one is at least as strict as another."""

    def __init__(
        self,
        valid: Callable[[Any], bool],
        at_least_as_strict: Callable[[Any, Any], bool],
        strictest: object,
    ) -> None:
        self.valid = valid
        self.at_least_as_strict = at_least_as_strict
        self.strictest = strictest


def _switch(strict: bool) -> _Field:
    return _Field(lambda v: type(v) is bool, lambda new, old: new in (strict, old), strict)


def _is_cap(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= _MAX_CENTS)


def _lower_cap(new: int | None, old: int | None) -> bool:
    """A null cap is explicitly none."""
    return old is None or (new is not None and new <= old)


def _are_ids(value: Any) -> bool:
    return value is None or (
        isinstance(value, list)
        and len(value) <= _MAX_IDS
        and all(type(i) is str and i and "|" not in i for i in value)
    )


def _fewer_ids(new: list[str] | None, old: list[str] | None) -> bool:
    """A null allow-list allows all."""
    return old is None or (new is not None and set(new) <= set(old))


def _more_ids(new: list[str] | None, old: list[str] | None) -> bool:
    """A null list of degraded providers means all of them."""
    return new is None or (old is not None and set(new) >= set(old))


def _is_mapping(value: Any) -> bool:
    """Party to account, or to null for none; ids that JSON spells as they are."""
    return value is None or (
        isinstance(value, dict)
        and all(_PLAIN.fullmatch(party) for party in value)
        and all(a is None or (type(a) is str and _ACCOUNT.fullmatch(a)) for a in value.values())
    )


def _same_pins(new: dict[str, str | None] | None, old: dict[str, str | None] | None) -> bool:
    """A null mapping pins nobody; a party pinned to null receives nothing."""
    if old is None or new is None:
        return old is None
    return all(party in new and new[party] in (account, None) for party, account in old.items())


_CAP: Final = _Field(_is_cap, _lower_cap, 0)
_NO_VALUE: Final = object()

CONTROL_FIELDS: Final[Mapping[str, _Field]] = MappingProxyType(
    {
        KILL_SWITCH: _switch(True),
        "real_money_enabled": _switch(False),
        "max_payout_amount_cents": _CAP,
        "daily_payout_limit_cents": _CAP,
        "max_outstanding_cents": _CAP,
        "allowed_provider_ids": _Field(_are_ids, _fewer_ids, []),
        "chargebacks_enabled": _switch(True),
        "negative_balance_mode": _Field(
            lambda v: v in ("hold", "net"), lambda new, old: new in ("hold", old), "hold"
        ),
        "degraded_enabled": _switch(True),
        "degraded_provider_ids": _Field(_are_ids, _more_ids, None),
        "deny_enqueue_payouts": _switch(True),
        "deny_submit_payouts": _switch(True),
        "connect_accounts": _Field(_is_mapping, _same_pins, _NO_VALUE),
        "mismatch_threshold_count": _CAP,
        "mismatch_threshold_cents": _CAP,
    }
)


def is_valid_value(field: str, value: object) -> bool:
    """Whether a field is known and takes this value, in a length that every reader keeps whole."""
    if field not in CONTROL_FIELDS or not CONTROL_FIELDS[field].valid(value):
        return False
    return len(value_text(value)) <= MAX_VALUE_TEXT


def value_text(value: object) -> str:
    """A value as the landed table spells it: canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def is_tightening(field: str, value: object, before: tuple[object] | None) -> bool:
    """Whether setting a valid value certainly loosens nothing.

    Args:
        before: The value set before for the same tenant and provider, in a tuple; None if none was.
    """
    control = CONTROL_FIELDS[field]
    if value == control.strictest and type(value) is type(control.strictest):
        return True
    return before is not None and control.at_least_as_strict(value, before[0])
