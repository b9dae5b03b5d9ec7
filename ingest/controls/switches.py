"""What an operator may set, and which change of it tightens and which loosens.

Belongs here: the control fields, the values each takes, and the order of strictness. Does not
belong here: lines, signatures, or what a gate concludes from a value.

A change counts as tightening only when that is certain: the value is the strictest of its field, or
it is at least as strict as the one set before for exactly the same tenant and provider. Everything
else loosens, a first value among them, because an absent control holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

__all__ = ["CONTROL_FIELDS", "KILL_SWITCH", "is_tightening", "is_valid_value"]

KILL_SWITCH: Final = "payout_kill_switch"
_MAX_CENTS: Final = (1 << 53) - 1
_MAX_IDS: Final = 1_000


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


_CAP: Final = _Field(_is_cap, _lower_cap, 0)

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
    }
)


def is_valid_value(field: str, value: object) -> bool:
    """Whether a field is known and takes this value."""
    return field in CONTROL_FIELDS and CONTROL_FIELDS[field].valid(value)


def is_tightening(field: str, value: object, before: tuple[object] | None) -> bool:
    """Whether setting a valid value certainly loosens nothing.

    Args:
        before: The value set before for the same tenant and provider, in a tuple; None if none was.
    """
    control = CONTROL_FIELDS[field]
    if value == control.strictest and type(value) is type(control.strictest):
        return True
    return before is not None and control.at_least_as_strict(value, before[0])
