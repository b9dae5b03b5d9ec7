"""Reading Stripe's form-encoded parameters.

Belongs here: bracketed keys to nested values, and the checks of single parameters that Stripe
makes before it executes anything. Does not belong here: what an endpoint does with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from ingest.simulator.errors import RailError

__all__ = ["check_known", "decode", "flag", "integer", "metadata", "text"]

_MAX_FIELDS = 500
_MAX_DEPTH = 6
_MAX_METADATA = 50
_MAX_KEY_CHARACTERS = 40
_MAX_VALUE_CHARACTERS = 500


def decode(encoded: str) -> dict[str, Any]:
    """Return nested parameters of `a=1&b[c]=2&d[]=3`; lists where all keys are indexes or empty.

    Raises:
        RailError: too many or too deep fields, or unbalanced brackets.
    """
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise RailError(f"got parameters that cannot be read ({error})") from error
    root: dict[str, Any] = {}
    for name, value in pairs:
        _put(root, _path(name), value, name)
    # Metadata names are the caller's own: digits there are names, not positions.
    return {key: value if key == "metadata" else _listed(value) for key, value in root.items()}


def _path(name: str) -> list[str]:
    head, *rest = name.split("[")
    if not head or not all(part.endswith("]") for part in rest) or len(rest) >= _MAX_DEPTH:
        raise RailError(f"Invalid parameter name: {name[:80]}", param=name[:80])
    return [head, *(part[:-1] for part in rest)]


def _put(into: dict[str, Any], path: list[str], value: str, name: str) -> None:
    for step in path[:-1]:
        held = into.setdefault(step or str(len(into)), {})
        if not isinstance(held, dict):
            raise RailError(f"got {name[:80]} both as a value and as a hash", param=name[:80])
        into = held
    into[path[-1] or str(len(into))] = value


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(held) for key, held in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def check_known(given: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse parameters the endpoint does not know; `expand` is taken politely everywhere."""
    for name in given:
        if name not in known and name != "expand":
            raise RailError(
                f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )


def text(given: Mapping[str, Any], name: str, *, required: bool = False) -> str | None:
    """Return a text parameter; empty counts as absent."""
    value = given.get(name)
    if value in (None, ""):
        if required:
            raise RailError(
                f"Missing required param: {name}.", code="parameter_missing", param=name
            )
        return None
    if not isinstance(value, str):
        raise RailError(f"Invalid string: {name}", param=name)
    return value


def integer(given: Mapping[str, Any], name: str, *, required: bool = False) -> int | None:
    """Return an integer parameter."""
    value = text(given, name, required=required)
    if value is None:
        return None
    digits = value[1:] if value.startswith("-") else value
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        raise RailError(
            f"Invalid integer: {value[:40]}", code="parameter_invalid_integer", param=name
        )
    return int(value)


def flag(given: Mapping[str, Any], name: str) -> bool:
    """Return a boolean parameter; absent is False."""
    value = text(given, name)
    if value not in (None, "true", "false"):
        raise RailError(f"Invalid boolean: {str(value)[:40]}", param=name)
    return value == "true"


def metadata(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata parameter within Stripe's limits."""
    value = given.get("metadata", {})
    if value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise RailError("Invalid hash: metadata takes texts by name", param="metadata")
    if len(value) > _MAX_METADATA:
        raise RailError(f"Metadata can have at most {_MAX_METADATA} keys", param="metadata")
    for name, held in value.items():
        if len(name) > _MAX_KEY_CHARACTERS or len(held) > _MAX_VALUE_CHARACTERS:
            raise RailError(
                f"Metadata keys take {_MAX_KEY_CHARACTERS} characters and values"
                f" {_MAX_VALUE_CHARACTERS}; got {len(name)} and {len(held)}",
                param=f"metadata[{name[:_MAX_KEY_CHARACTERS]}]",
            )
    return value
