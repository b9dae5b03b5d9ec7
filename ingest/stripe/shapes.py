"""From a Stripe object to a landed row: the only way a value of Stripe's reaches the disk.

Belongs here: the kinds of columns, how each kind reads, checks and masks a value, the keyed digest.
Does not belong here: which columns a table has (`ingest.stripe.endpoints`), HTTP, files of rows.

A value lands only through a declared column. Text lands only if it looks like an identifier or an
enum value; anything else (a sentence, an e-mail address, card digits, a secret) becomes
`masked:<keyed digest>`, which still compares equal to itself and tells nothing.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from ingest.errors import LandingError, TieoutError
from ingest.files import disk_errors, private_folder
from ingest.tables import BIGINT, BOOLEAN, TIMESTAMP, VARCHAR, Column, TableSpec

__all__ = [
    "Field",
    "FieldRefused",
    "JsonObject",
    "Seal",
    "Shape",
    "count",
    "flag",
    "identifier",
    "read_seal",
    "text",
    "time_of",
    "whole",
]

JsonObject = Mapping[str, Any]
Value = str | int | bool | datetime | None
Reader = Callable[[Any, "Seal"], Value]

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/+=|~-]{0,499}")
_ID: Final = re.compile(r"(?!(?:b?tok|whsec|gh[a-z])_)[a-z]{2,10}_[A-Za-z0-9]{1,100}")
_SECRET: Final = re.compile(
    r"^(?:eyJ|AKIA)"
    r"|(?:^|[^A-Za-z0-9])(?:[srp]k_(?:live|test)_|whsec_|b?tok_|gh[a-z]_|xox[a-z]-)"
)
# Issuer prefixes 22 to 69, in one run or grouped as printed on a card.
_CARD: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:[3-6][0-9]|2[2-7])[0-9]{11,17}"
    r"|[2-6][0-9]{3}([-_.])[0-9]{4}\1[0-9]{4}\1[0-9]{4}"
    r"|3[0-9]{3}([-_.])[0-9]{6}\2[0-9]{5})(?![0-9A-Za-z])"
)
_ADDRESS: Final = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])")
_KEY_BYTES: Final = 32
# As for the kernel's artifacts: a thousand such amounts still fit a sum.
MAX_WHOLE: Final = 2**53 - 1
_LAST_SECOND: Final = 253_402_300_799  # the end of the year 9999


class FieldRefused(TieoutError):
    """A field holds something its column cannot: the object is quarantined, not landed."""

    default_code = "stripe_field_type"


class Seal:
    """Keyed digests of this home: equal inputs compare equal, and nobody without the key can guess
    an input from its digest."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def digest(self, value: JsonObject) -> str:
        """Hex HMAC-SHA256 over the object's JSON with sorted keys."""
        content = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return hmac.digest(self._key, content, "sha256").hex()

    def mask(self, value: str) -> str:
        """`masked:` and a short keyed digest."""
        digest = hmac.digest(self._key, value.encode("utf-8", "replace"), "sha256")
        return f"masked:{digest.hex()[:32]}"

    def label(self, value: str) -> str:
        """The text itself if it is only a name for something, else its mask."""
        return value if _tells_nothing(value) else self.mask(value)

    def object_id(self, value: str) -> str:
        """As `label`, without looking for card numbers: of ids made of digits, one in ten would
        look like one."""
        return value if _is_word(value) else self.mask(value)


def read_seal(home: Path) -> Seal:
    """The seal of a home; its key (`state/landing.hmac`, mode 0600) is made on first use."""
    path = home / "state" / "landing.hmac"
    private_folder(path.parent)
    with disk_errors():
        if not path.exists():
            _make_key(path)
        key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise LandingError(
            got=f"{len(key)} bytes in state/landing.hmac",
            expected=f"a key of {_KEY_BYTES} bytes",
            remedy="Restore it from a backup; without it every landed object looks changed once",
            code="landing_key_damaged",
        )
    return Seal(key)


def _make_key(path: Path) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    # A link fails when another process was first; a rename would replace its key.
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


@dataclass(frozen=True)
class Field:
    """One allow-listed value: its column, the path to it in the object, and how to read it.

    An object without a needed value means nothing; it is refused like one of another type.
    """

    column: Column
    path: tuple[str, ...]
    read: Reader
    needed: bool = False

    @cached_property
    def name(self) -> str:
        """The column's name."""
        return self.column.name


@dataclass(frozen=True)
class Shape:
    """The allow-list of one kind of Stripe object and the table it lands in.

    Attributes:
        fields: What is kept of the object.
        metadata: Whether the listed metadata keys are kept too.
        volatile: Top-level names left out of the digest, because Stripe changes them on every read
            although nothing happened.
        seen: Columns whose change alone makes no new row.
    """

    table: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    metadata: bool = False
    volatile: frozenset[str] = frozenset()
    seen: tuple[str, ...] = ()

    @cached_property
    def spec(self) -> TableSpec:
        """The landed table: who was asked, the allow-listed columns, version and digest."""
        meta = tuple(Column(name, VARCHAR) for name in META_KEYS) if self.metadata else ()
        columns = (
            Column("account_id", VARCHAR),
            Column("is_platform", BOOLEAN),
            *(field.column for field in self.fields),
            *meta,
            Column("api_version", VARCHAR),
            Column("row_digest", VARCHAR),
        )
        return TableSpec("stripe", self.table, columns, ("account_id", *self.key), seen=self.seen)

    def row(self, value: JsonObject, seal: Seal) -> dict[str, Value]:
        """The allow-listed columns of one object, with its digest.

        Raises:
            FieldRefused: A field has a type its column cannot hold.
        """
        row: dict[str, Value] = {}
        for field in self.fields:
            found = value.get(field.path[0])
            for name in field.path[1:]:
                found = found.get(name) if isinstance(found, dict) else None
            try:
                row[field.name] = None if found is None else field.read(found, seal)
                if field.needed and row[field.name] is None:
                    raise ValueError
            except ValueError:
                named = ".".join(field.path)
                raise FieldRefused(
                    got=f"no {named}" if found is None else f"{named} as a {type(found).__name__}",
                    expected=f"a value for the {field.column.type} column {field.column.name}",
                    remedy="Read Stripe's changelog for this field, then extend its declaration",
                ) from None
        if self.metadata:
            row.update(_metadata(value.get("metadata"), seal))
        if self.volatile:
            value = {name: part for name, part in value.items() if name not in self.volatile}
        row["row_digest"] = seal.digest(value)
        return row


# --- kinds of columns -----------------------------------------------------------------------------


def identifier(column: str, path: str | None = None) -> Field:
    """An object id; an expanded object is reduced to its id."""
    return _field(column, VARCHAR, path, _read_identifier)


def text(column: str, path: str | None = None, *, needed: bool = False) -> Field:
    """An enum value, a currency, a label that joins; unknown enum values are kept as they are."""
    return _field(column, VARCHAR, path, _read_text, needed=needed)


def whole(column: str, path: str | None = None, *, needed: bool = False) -> Field:
    """An integer, such as an amount in minor units."""
    return _field(column, BIGINT, path, _read_whole, needed=needed)


def flag(column: str, path: str | None = None) -> Field:
    """True or false."""
    return _field(column, BOOLEAN, path, _read_flag)


def time_of(column: str, path: str | None = None, *, needed: bool = False) -> Field:
    """Unix seconds, landed as a UTC time. Zero, Stripe's word for none, is null."""
    return _field(column, TIMESTAMP, path, _read_time, needed=needed)


def count(column: str, path: str | None = None) -> Field:
    """The length of a list, whose content is not kept."""
    return _field(column, BIGINT, path, _read_count)


def _field(
    column: str, type_: str, path: str | None, read: Reader, *, needed: bool = False
) -> Field:
    return Field(Column(column, type_), tuple((path or column).split(".")), read, needed)


def _read_identifier(found: Any, seal: Seal) -> Value:
    value = found.get("id") if isinstance(found, dict) else found
    if not isinstance(value, str):
        raise ValueError
    return seal.object_id(value)


def _read_text(found: Any, seal: Seal) -> Value:
    if not isinstance(found, str):
        raise ValueError
    return seal.label(found)


def _read_whole(found: Any, seal: Seal) -> Value:
    if type(found) is not int or abs(found) > MAX_WHOLE:
        raise ValueError
    return found


def _read_flag(found: Any, seal: Seal) -> Value:
    if not isinstance(found, bool):
        raise ValueError
    return found


def _read_time(found: Any, seal: Seal) -> Value:
    if type(found) is not int or not 0 <= found <= _LAST_SECOND:
        raise ValueError
    return datetime.fromtimestamp(found, UTC) if found else None


def _read_count(found: Any, seal: Seal) -> Value:
    if not isinstance(found, list):
        raise ValueError
    return len(found)


@lru_cache(maxsize=4096)
def _tells_nothing(value: str) -> bool:
    """Whether a text is only a name for something: one word, and no card number in it."""
    return _is_word(value) and not any(_luhn(match.group()) for match in _CARD.finditer(value))


def _is_word(value: str) -> bool:
    """Whether a text is empty or one word, without a secret's prefix or an internet address."""
    # Nearly every text is an id; the first pattern alone accepts those, for speed.
    return (
        bool(_ID.fullmatch(value))
        or not value
        or (
            _PLAIN.fullmatch(value) is not None
            and not _SECRET.search(value)
            and not _ADDRESS.search(value)
        )
    )


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(int(sign) for sign in reversed(digits) if sign.isdigit()):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


# --- metadata -------------------------------------------------------------------------------------

META_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    f"meta_{name}": (f"nooterra_{name}", f"settld_{name}", name)
    if name == "receipt_id"
    else (f"nooterra_{name}", f"settld_{name}")
    for name in ("tenant_id", "operation_id", "provider_id", "payout_key", "receipt_id")
}


def _metadata(found: Any, seal: Seal) -> dict[str, Value]:
    listed = found if isinstance(found, dict) else {}
    row: dict[str, Value] = {}
    for column, names in META_KEYS.items():
        value = next((listed[name] for name in names if isinstance(listed.get(name), str)), None)
        row[column] = None if value is None else _read_text(value, seal)
    return row
