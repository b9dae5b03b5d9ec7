"""How one member of an artifact becomes one landed column.

Belongs here: the small vocabulary in which `ingest.kernel.artifacts` declares its tables, and the
checks of single values. Does not belong here: any artifact type, any file, any hash.

A member is named by its path in the artifact (`decisionRef.decisionId`); alternatives are separated
by `|` and the first that is present counts, which is how both spellings of the kernel's old and new
name are read. Without a path, the column's name in camelCase is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from ingest.errors import ArtifactRefused
from ingest.tables import BIGINT, BOOLEAN, TIMESTAMP, VARCHAR, Column

__all__ = [
    "Artifact",
    "Field",
    "count",
    "currency",
    "derived",
    "flag",
    "loose_time",
    "malformed",
    "member",
    "money",
    "pipe_list",
    "present",
    "quantity",
    "rate",
    "refused",
    "share",
    "signed_money",
    "text",
    "time",
]

Artifact = Mapping[str, Any]

_MAX_TEXT: Final = 65_536
_MILLICENTS: Final = 1000
_WHOLE_BPS: Final = 10_000
_CAMEL: Final = re.compile(r"_([a-z0-9])")
_ISO_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?")
_REMEDY: Final = "Correct the artifact at its source and export it again"


@dataclass(frozen=True)
class Field:
    """One column and the function that reads its value from an artifact.

    Attributes:
        column: Name and type of the landed column.
        read: From artifact to int, str, bool, aware datetime or None.

    `read` raises ArtifactRefused (`field_missing`, `field_type`, `field_time`, `field_text`,
    `field_range`); its message names the member and never repeats the value.
    """

    column: Column
    read: Callable[[Artifact], object]

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name


def text(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """A string."""
    return _field(name, VARCHAR, at, needed, _text)


def currency(at: str | None = None) -> Field:
    """The currency of an instruction or operation; the kernel reads an absent one as USD."""
    said = text("currency", at)

    def read(artifact: Artifact) -> object:
        found = said.read(artifact)
        return "USD" if found is None else found

    return Field(said.column, read)


def money(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """An amount in minor units that cannot be negative."""
    return _field(name, BIGINT, at, needed, _amount)


def signed_money(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """An amount in minor units with a sign, such as a posting or a statement total."""
    return _field(name, BIGINT, at, needed, _integer)


def count(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """An integer that is not money."""
    return _field(name, BIGINT, at, needed, _integer)


def quantity(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """An integer of at least 0 that is not money."""
    return _field(name, BIGINT, at, needed, _amount)


def rate(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """A price of one unit given in cents with up to three decimals, as thousandths of a cent."""
    return _field(name, BIGINT, at, needed, _rate)


def share(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """A share in hundredths of a percent, 0 to 10000."""
    return _field(name, BIGINT, at, needed, _share)


def time(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """An ISO 8601 time with its zone, or a date alone, which means midnight UTC."""
    return _field(name, TIMESTAMP, at, needed, _time)


def loose_time(name: str, at: str | None = None) -> Field:
    """A time whose absence or malformation is judged later: null where it is no time."""
    strict = time(name, at)

    def read(artifact: Artifact) -> object:
        try:
            return strict.read(artifact)
        except ArtifactRefused:
            return None

    return Field(strict.column, read)


def malformed(name: str, at: str) -> Field:
    """Whether a member is there and is no time."""
    strict = time(name, at)

    def read(artifact: Artifact) -> object:
        try:
            strict.read(artifact)
        except ArtifactRefused:
            return True
        return False

    return Field(Column(name, BOOLEAN), read)


def flag(name: str, at: str | None = None, *, needed: bool = False) -> Field:
    """A boolean."""
    return _field(name, BOOLEAN, at, needed, _flag)


def derived(name: str, type_: str, read: Callable[[Artifact], object]) -> Field:
    """A column computed from several members."""
    return Field(Column(name, type_), read)


def present(name: str, at: str) -> Field:
    """Whether a member exists at all, null or not: absent and null mean different things."""
    *outer, last = at.split(".")

    def read(artifact: Artifact) -> object:
        holder = member(artifact, outer)
        return isinstance(holder, Mapping) and last in holder

    return Field(Column(name, BOOLEAN), read)


def pipe_list(name: str, at: str) -> Field:
    """A list of ids as `|a|b|`; null when the list is null or absent, `|` when it is empty."""
    path = at.split(".")

    def read(artifact: Artifact) -> object:
        ids = member(artifact, path)
        if ids is None:
            return None
        if not isinstance(ids, list) or any(type(i) is not str or "|" in i for i in ids):
            raise refused(at, "not a list of ids", "a list of ids without '|'", "field_type")
        return "|" + "".join(f"{_text(at, i)}|" for i in sorted(set(ids)))

    return Field(Column(name, VARCHAR), read)


def member(artifact: Artifact, path: Iterable[str]) -> Any:
    """The value at a path, or None where the path ends early."""
    value: Any = artifact
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def refused(at: str, got: str, expected: str, code: str) -> ArtifactRefused:
    """The refusal of one member, without its value."""
    return ArtifactRefused(f"{at} is {got}", expected, _REMEDY, code)


def _field(
    name: str, type_: str, at: str | None, needed: bool, convert: Callable[[str, Any], object]
) -> Field:
    at = at or _CAMEL.sub(lambda letter: letter[1].upper(), name)
    paths = [path.split(".") for path in at.split("|")]
    first, last = paths[0][0], paths[0][-1]

    def read_simple(artifact: Artifact) -> object:
        value = artifact.get(first)
        if value is not None and not (needed and value == ""):
            return convert(at, value)
        if needed:
            raise refused(
                at, "absent or empty", "a value, without which the row means nothing", _MISSING
            )
        return None

    def read_inner(artifact: Artifact) -> object:
        holder = artifact.get(first)
        value = holder.get(last) if isinstance(holder, dict) else None
        return read_any(artifact) if value is None or value == "" else convert(at, value)

    def read_any(artifact: Artifact) -> object:
        for path in paths:
            value = member(artifact, path)
            if value is not None and not (needed and value == ""):
                return convert(at, value)
        if needed:
            raise refused(
                at, "absent or empty", "a value, without which the row means nothing", _MISSING
            )
        return None

    # The two common shapes are read without a loop: a busy export has millions of members.
    read = {1: read_simple, 2: read_inner}.get(len(paths[0]), read_any)
    return Field(Column(name, type_), read_any if len(paths) > 1 else read)


_MISSING: Final = "field_missing"


def _text(at: str, value: object) -> str:
    if type(value) is not str:
        raise refused(at, f"a {type(value).__name__}", "a string", "field_type")
    if len(value) > _MAX_TEXT or "\0" in value:
        raise refused(at, "too long or holds NUL", "a plain string", "field_text")
    return value


def _integer(at: str, value: object) -> int:
    if type(value) is not int:
        raise refused(at, f"a {type(value).__name__}", "an integer", "field_type")
    return value


def _amount(at: str, value: object) -> int:
    cents = _integer(at, value)
    if cents < 0:
        raise refused(at, "a negative amount", "an amount of at least 0", "field_range")
    return cents


def _rate(at: str, value: object) -> int:
    if type(value) is int:
        return _amount(at, value) * _MILLICENTS
    if type(value) is not float:
        raise refused(at, f"a {type(value).__name__}", "a number", "field_type")
    # Its shortest text is what the kernel wrote; multiplying the double itself would round.
    millicents = Decimal(repr(value)) * _MILLICENTS
    if millicents < 0 or millicents != millicents.to_integral_value():
        raise refused(at, "negative or finer", "at most three decimals", "field_range")
    return int(millicents)


def _share(at: str, value: object) -> int:
    bps = _amount(at, value)
    if bps > _WHOLE_BPS:
        raise refused(at, "more than the whole", "0 to 10000", "field_range")
    return bps


def _flag(at: str, value: object) -> bool:
    if type(value) is not bool:
        raise refused(at, f"a {type(value).__name__}", "true or false", "field_type")
    return value


def _time(at: str, value: object) -> datetime:
    written = _text(at, value)
    if _ISO_TIME.fullmatch(written):
        try:
            moment = datetime.fromisoformat(written)
            if moment.tzinfo is UTC:
                return moment
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
    expected = "an ISO 8601 time with its zone, such as 2026-02-18T00:00:04.000Z"
    raise refused(at, "not such a time", expected, "field_time")
