"""Allow-lists: what a document may contain, said once and refused otherwise.

What belongs here: the small vocabulary in which the documents of this package state their
fields (exact members, digests, names, periods, times). What does not: any particular document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from evidence.errors import Refusal, show

VERDICTS = (
    "incomplete",
    "breaks",
    "reconciled_with_warnings",
    "reconciled_with_pending",
    "reconciled",
)
"""Verdicts of a run, worst first."""

_HEX64 = re.compile(r"[0-9a-f]{64}")
_TENANT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_CURRENCY = re.compile(r"[a-z]{3}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def members(
    value: object, required: Iterable[str], code: str, optional: Iterable[str] = ()
) -> dict[str, object]:
    """`value` as an object that has every required member and none but the allowed ones."""
    if type(value) is not dict:
        raise Refusal(code, f"got {show(value)}, expected an object")
    wanted, allowed = set(required), set(required) | set(optional)
    unknown, missing = sorted(set(value) - allowed), sorted(wanted - set(value))
    if unknown:
        raise Refusal(code, f"got unknown member {show(unknown[0])}, expected only the schema's")
    if missing:
        raise Refusal(code, f"got no member {show(missing[0])}, expected it")
    return value


def text(value: object, code: str, what: str, limit: int = 512) -> str:
    """`value` as a non-empty string of at most `limit` characters."""
    if type(value) is not str or not 0 < len(value) <= limit:
        raise Refusal(code, f"got {what} {show(value)}, expected 1 to {limit} characters")
    return value


def integer(value: object, code: str, what: str, minimum: int = 0) -> int:
    """`value` as an integer; a boolean is none, although Python says that True equals 1."""
    if type(value) is not int or value < minimum:
        raise Refusal(code, f"got {what} {show(value)}, expected an integer from {minimum}")
    return value


def boolean(value: object, code: str, what: str) -> bool:
    """`value` as true or false."""
    if type(value) is not bool:
        raise Refusal(code, f"got {what} {show(value)}, expected true or false")
    return value


def array(value: object, code: str, what: str, limit: int = 4096) -> list[object]:
    """`value` as a list of at most `limit` items."""
    if type(value) is not list or len(value) > limit:
        raise Refusal(code, f"got {what} {show(value)}, expected a list of at most {limit}")
    return value


def mapping(value: object, code: str, what: str) -> dict[str, object]:
    """`value` as an object with free member names."""
    if type(value) is not dict:
        raise Refusal(code, f"got {what} {show(value)}, expected an object")
    return value


def digest(value: object, code: str, what: str) -> str:
    """`value` as 64 lower-case hex digits."""
    return _matching(_HEX64, value, code, what, "64 lower-case hex digits")


def tenant(value: object, code: str) -> str:
    """`value` as a tenant id that may also stand in a file name."""
    return _matching(_TENANT, value, code, "tenant", "1 to 64 letters, digits or _ . -")


def period(value: object, code: str) -> str:
    """`value` as a UTC month, YYYY-MM."""
    return _matching(_PERIOD, value, code, "period", "a month YYYY-MM")


def currency(value: object, code: str) -> str:
    """`value` as a lower-case ISO 4217 code, as the rail spells it."""
    return _matching(_CURRENCY, value, code, "currency", "three lower-case letters")


def verdict(value: object, code: str) -> str:
    """`value` as one of the five verdicts."""
    if type(value) is not str or value not in VERDICTS:
        raise Refusal(code, f"got verdict {show(value)}, expected one of {', '.join(VERDICTS)}")
    return value


def moment(value: object, code: str, what: str) -> datetime:
    """`value` as a UTC time to the second, YYYY-MM-DDTHH:MM:SSZ."""
    stamp = _matching(_TIME, value, code, what, "YYYY-MM-DDTHH:MM:SSZ")
    try:
        return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal(code, f"got {what} {show(stamp)}, expected an existing time") from None


def utc_text(value: datetime) -> str:
    """A time-zone aware `value` as YYYY-MM-DDTHH:MM:SSZ, cut down to the second."""
    if value.tzinfo is None:
        raise Refusal("naive_time", "got a time without a zone, expected one in UTC")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counts(value: object, code: str, what: str) -> Mapping[str, int]:
    """`value` as an object of non-negative integers."""
    found = mapping(value, code, what)
    return {name: integer(number, code, f"{what} {name}") for name, number in found.items()}


def _matching(pattern: re.Pattern[str], value: object, code: str, what: str, form: str) -> str:
    if type(value) is not str or not pattern.fullmatch(value):
        raise Refusal(code, f"got {what} {show(value)}, expected {form}")
    return value
