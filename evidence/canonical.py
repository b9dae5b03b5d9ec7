"""Canonical JSON: the one byte form of a value, and the reader that accepts nothing else.

What belongs here: RFC 8785 restricted so that a sorted compact dump equals it (integers of at
most 53 bits, no floats, ASCII keys), strict reading, and the hash of a document that carries its
own hash. What does not: any schema; the callers know what a document must contain.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import NoReturn

from evidence.errors import Refusal, show

MAX_DOCUMENT_BYTES = 1 << 20
MAX_DEPTH = 24
MAX_INT = (1 << 53) - 1

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,127}")
_FORBIDDEN_KEYS = frozenset({"__proto__", "constructor", "prototype"})
_MAX_INT_CHARACTERS = 17

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def dumps(value: object) -> bytes:
    """Write `value` as canonical JSON.

    Args:
        value: null, booleans, integers within 53 bits, strings of Unicode scalar values, lists
            and dicts of these; nothing else, no subclass of these.

    Returns:
        UTF-8 bytes without whitespace, byte-order mark or final newline.

    Raises:
        Refusal: `json_type`, `json_int_range`, `json_lone_surrogate`, `json_key`,
            `json_too_deep`.
    """
    check(value)
    return _encode(value)


def check(value: object, depth: int = 0) -> None:
    """Refuse a value that has no canonical form; the outermost value has depth 0."""
    if depth > MAX_DEPTH:
        raise Refusal("json_too_deep", f"got nesting deeper than {MAX_DEPTH}")
    kind = type(value)
    if value is None or kind is bool:
        return
    if kind is int:
        check_int(value)  # type: ignore[arg-type]
    elif kind is str:
        check_text(value)  # type: ignore[arg-type]
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            check(item, depth + 1)
    elif kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            check_key(key)
            check(item, depth + 1)
    else:
        raise Refusal(
            "json_type", f"got {kind.__name__}, expected null, bool, int, str, list or dict"
        )


def check_int(value: int) -> None:
    """Refuse an integer that other JSON readers would round."""
    if not -MAX_INT <= value <= MAX_INT:
        raise Refusal("json_int_range", f"got {show(value)}, expected at most 2^53-1 in size")


def check_text(value: str) -> None:
    """Refuse a string that has no UTF-8 form."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal("json_lone_surrogate", f"got a lone surrogate in {show(value)}") from None


def check_key(key: object) -> None:
    """Refuse a member name on which readers of JSON may disagree."""
    if type(key) is not str or not _KEY.fullmatch(key) or key in _FORBIDDEN_KEYS:
        raise Refusal("json_key", f"got member name {show(key)}, expected a plain ASCII name")


def loads_strict(data: bytes, limit: int = MAX_DOCUMENT_BYTES) -> object:
    """Read canonical JSON, refusing every other spelling of the same value.

    Args:
        data: the document's bytes.
        limit: largest size accepted, in bytes.

    Raises:
        Refusal: `json_too_big`, `json_utf8`, `json_duplicate_key`, `json_float_or_nan`,
            `json_int_range`, `json_too_deep`, `json_syntax`, `json_key`,
            `json_lone_surrogate`, `json_not_canonical`.
    """
    value = loads_lenient(data, limit)
    if _encode(value) != data:
        raise Refusal("json_not_canonical", "got another spelling of the value than the canonical")
    return value


def loads_lenient(data: bytes, limit: int = MAX_DOCUMENT_BYTES) -> object:
    """Read JSON whose values are canonical while its layout is free.

    For files that people write, such as trust.json: whitespace, member order and escapes are
    free, everything that makes two readers disagree is still refused.
    """
    if len(data) > limit:
        raise Refusal("json_too_big", f"got {len(data)} bytes, expected at most {limit}")
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise Refusal("json_utf8", f"got invalid UTF-8 at byte {error.start}") from None
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_unique_members,
            parse_int=_bounded_int,
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
        )
    except RecursionError:
        raise Refusal("json_too_deep", f"got nesting deeper than {MAX_DEPTH}") from None
    except ValueError as error:
        position = error.pos if isinstance(error, json.JSONDecodeError) else 0
        raise Refusal("json_syntax", f"got no JSON value at character {position}") from None
    check(value)
    return value


def document_hash(document: Mapping[str, object]) -> str:
    """The hash a document states about itself, as the kernel computes it.

    Returns:
        64 lower-case hex digits: sha256 of the canonical form without the members `artifactHash`
        and `signature`.
    """
    body = {k: v for k, v in document.items() if k not in {"artifactHash", "signature"}}
    return hashlib.sha256(dumps(body)).hexdigest()


def sha256_hex(data: bytes) -> str:
    """sha256 of `data` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def _encode(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refusal("json_duplicate_key", "got the same member name twice in one object")
    return members


def _bounded_int(digits: str) -> int:
    # The length is refused before conversion: converting a million digits is the attack.
    if len(digits) > _MAX_INT_CHARACTERS:
        raise Refusal("json_int_range", f"got an integer of {len(digits)} characters")
    return int(digits)


def _refuse_float(text: str) -> NoReturn:
    raise Refusal("json_float_or_nan", f"got {show(text)}, expected an integer or a string")
