"""The kernel's own canonical JSON: wider than the packet's, and with one quirk of its own.

What belongs here: strict reading of one kernel artifact, and the text whose sha256 the kernel
states. What does not: which members a hash leaves out (artifacts.py), and the packet's profile
(canonical.py), which allows less.

The kernel says RFC 8785 and does almost that: it sorts members by UTF-16 code unit and then puts
them back into a JavaScript object, which moves names that look like array indexes to the front, in
numeric order. A member `__proto__` vanishes on that way, so no text that holds one is accepted.

Two readers give the same answer: a slow one that can name every fault, and, where orjson happens
to be installed, a fast one that accepts only what it can prove equal and leaves the rest.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, NoReturn

from evidence.errors import Refusal

MAX_LINE_BYTES: Final = 1 << 20
MAX_INT: Final = (1 << 53) - 1
# orjson writes 254 levels; the slow reader stops there too, so that both accept the same texts.
MAX_DEPTH: Final = 254

_MAX_INT_CHARACTERS: Final = 17
# A price of one unit, which the kernel gives in cents with up to three decimals; not an amount.
_RATES: Final = frozenset({"verifiedRunOverageCents"})
_ARRAY_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_EARLY_NAME: Final = re.compile(rb'\{"[ -9\\]')
_MAX_ARRAY_INDEX: Final = (1 << 32) - 2
_FOUR_BYTE_CHARACTER: Final = 0xF0
_MAX_PLAIN_DIGITS: Final = 21
_MIN_PLAIN_POINT: Final = -6
_FIRST_EXPONENT: Final = 1e21
_QUOTE: Final = json.encoder.encode_basestring

# Found by name, not imported: an auditor's install has cryptography alone, and it must do.
_orjson: Any = (
    importlib.import_module("orjson") if importlib.util.find_spec("orjson") is not None else None
)
_SORTED: Final = 0 if _orjson is None else _orjson.OPT_SORT_KEYS | _orjson.OPT_STRICT_INTEGER


class Document(NamedTuple):
    """One artifact as read: its value, its canonical text, and whether `orjson` may write it."""

    value: dict[str, Any]
    canonical: str
    plain: bool


def read(line: bytes, limit: int = MAX_LINE_BYTES) -> Document:
    """Read one artifact strictly, whatever its layout.

    Args:
        line: one JSON object in UTF-8; whitespace, member order and escapes are free.
        limit: largest size accepted, in bytes.

    Raises:
        Refusal: `json_too_big`, `json_utf8`, `json_syntax`, `json_duplicate_key`,
            `json_proto_key`, `json_nan`, `json_negative_zero`, `json_int_range`,
            `json_float_money`, `json_lone_surrogate`, `json_too_deep`, `json_not_object`.
    """
    if len(line) > limit:
        raise Refusal("json_too_big", f"got {len(line)} bytes, expected at most {limit}")
    return read_fast(line) or read_slow(line)


def read_fast(line: bytes) -> Document | None:
    """Read what can be proved plain: None means only that the slow reader must look.

    Writing the parsed value back must give the very bytes read, which leaves no room for a
    repeated member, a rounded number or an odd escape.
    """
    if _orjson is None:
        return None
    try:
        value = _orjson.loads(line)
        ordered: bytes = _orjson.dumps(value, option=_SORTED)
    except (ValueError, TypeError):
        return None
    if ordered != line and _orjson.dumps(value) != line:
        return None
    # Code point order, which orjson sorts by, is UTF-16 order while no character needs two units.
    if not line.isascii() and max(line) >= _FOUR_BYTE_CHARACTER:
        return None
    # The first name of each object tells whether a name like an array index can follow.
    if b"__proto__" in ordered or _EARLY_NAME.search(ordered):
        return None
    if type(value) is not dict or not _is_plain(value.values()):
        return None
    return Document(value, ordered.decode(), True)


def read_slow(line: bytes) -> Document:
    """Read with the standard library, naming what is wrong; `read` is the entrance."""
    try:
        text = line.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise Refusal("json_utf8", f"got invalid UTF-8 at byte {error.start}") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise Refusal("json_too_deep", f"got nesting deeper than {MAX_DEPTH}") from None
    except json.JSONDecodeError as error:
        if text.startswith("\ufeff"):
            detail = "got a byte order mark before the JSON, expected UTF-8 without one"
            raise Refusal("json_syntax", detail) from None
        raise Refusal(
            "json_syntax", f"got no JSON value at character {error.pos} of {len(text)}"
        ) from None
    if type(value) is not dict:
        raise Refusal("json_not_object", f"got a {type(value).__name__}, expected one JSON object")
    return Document(value, dumps(value), False)


def dumps(value: object) -> str:
    """The kernel's canonical text of a value.

    Args:
        value: null, booleans, integers of at most 53 bits, finite floats other than -0, strings
            of Unicode scalar values, lists and dicts of these.

    Raises:
        Refusal: `json_int_range`, `json_nan`, `json_negative_zero`, `json_lone_surrogate`,
            `json_too_deep`, `json_type`.
    """
    parts: list[str] = []
    _write(value, parts, 0)
    text = "".join(parts)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal("json_lone_surrogate", "got half of a surrogate pair") from None
    return text


def dumps_plain(value: dict[str, Any]) -> bytes:
    """The canonical bytes of members of a `plain` document, which orjson writes the same way."""
    ordered: bytes = _orjson.dumps(value, option=_SORTED)
    return ordered


# --- reading --------------------------------------------------------------------------------------


def _is_plain(children: Iterable[Any]) -> bool:
    """Whether no float occurs: the kernel and orjson spell them differently."""
    for child in children:
        kind = type(child)
        if kind is str or kind is int or child is None or kind is bool:
            continue
        if kind is float or not _is_plain(child.values() if kind is dict else child):
            return False
    return True


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refusal("json_duplicate_key", "got the same member name twice in one object")
    if "__proto__" in members:
        raise Refusal(
            "json_proto_key", "got a member named __proto__, which the kernel's hash skips"
        )
    for name, value in pairs:
        if name.endswith("Cents") and name not in _RATES:
            amounts = value if type(value) is list else [value]
        elif name.startswith("totalsBy") and type(value) is dict:
            amounts = list(value.values())
        else:
            continue
        if float in map(type, amounts):
            raise Refusal("json_float_money", "got an amount with a fraction or an exponent")
    return members


def _integer(digits: str) -> int:
    # The length is refused before conversion: converting a million digits is the attack.
    if len(digits) > _MAX_INT_CHARACTERS or not -MAX_INT <= int(digits) <= MAX_INT:
        raise Refusal("json_int_range", f"got an integer of {len(digits)} characters beyond 2^53-1")
    if digits == "-0":
        raise Refusal("json_negative_zero", "got -0, which the kernel never writes")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > MAX_LINE_BYTES or math.isinf(number := float(digits)):
        raise Refusal("json_int_range", "got a number that no double can hold")
    if number == 0 and digits.startswith("-"):
        raise Refusal("json_negative_zero", "got -0, which the kernel never writes")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise Refusal("json_nan", f"got {name}, which JSON does not have")


# --- writing --------------------------------------------------------------------------------------


def _write(value: object, parts: list[str], depth: int) -> None:
    if isinstance(value, bool) or value is None:
        parts.append({True: "true", False: "false", None: "null"}[value])
    elif isinstance(value, str):
        parts.append(_QUOTE(value))
    elif isinstance(value, int):
        if not -MAX_INT <= value <= MAX_INT:
            raise Refusal("json_int_range", "got an integer beyond 2^53-1")
        parts.append(str(value))
    elif isinstance(value, float):
        parts.append(_number(value))
    elif depth >= MAX_DEPTH:
        raise Refusal("json_too_deep", f"got nesting deeper than {MAX_DEPTH}")
    elif isinstance(value, dict):
        for position, name in enumerate(sorted(value, key=_member_order)):
            parts.append(f"{',' if position else '{'}{_QUOTE(name)}:")
            _write(value[name], parts, depth + 1)
        parts.append("}" if value else "{}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            parts.append("," if position else "[")
            _write(item, parts, depth + 1)
        parts.append("]" if value else "[]")
    else:
        raise Refusal("json_type", f"got {type(value).__name__}, expected a JSON value")


def _member_order(name: str) -> tuple[int, int, bytes]:
    """Array indexes first, in numeric order; then by UTF-16 code unit."""
    if _ARRAY_INDEX.fullmatch(name) and int(name) <= _MAX_ARRAY_INDEX:
        return 0, int(name), b""
    return 1, 0, name.encode("utf-16-be", "surrogatepass")


def _number(value: float) -> str:
    """A double as ECMAScript writes it: shortest digits, an exponent only outside 1e-7..1e21."""
    if not math.isfinite(value):
        raise Refusal("json_nan", f"got {value}, which JSON does not have")
    if value == 0:
        if math.copysign(1.0, value) < 0:
            raise Refusal("json_negative_zero", "got -0, which the kernel never writes")
        return "0"
    if MAX_INT < abs(value) < _FIRST_EXPONENT and value.is_integer():
        # Its text would read as an integer that no reader may hold.
        raise Refusal("json_int_range", "got a whole number beyond 2^53-1")
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # The value is 0.<digits> times ten to the power of `point`.
    point = int(exponent or 0) + len(whole) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= _MAX_PLAIN_DIGITS:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= _MAX_PLAIN_DIGITS:
        text = f"{digits[:point]}.{digits[point:]}"
    elif _MIN_PLAIN_POINT < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        head = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
        text = f"{head}e{point - 1:+d}"
    return sign + text
