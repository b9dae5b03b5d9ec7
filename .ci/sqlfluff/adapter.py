"""What sqlfluff sees of dbt's `adapter`: any dispatched macro is one expression."""

from __future__ import annotations

from collections.abc import Callable


def dispatch(macro_name: str, package: str = "") -> Callable[..., str]:
    """A macro that renders as a literal, which parses wherever an expression may stand.

    `inlined` alone stands where no expression may, and Spark has no word for it.
    """
    text = "" if macro_name == "inlined" else "1"
    return lambda *_, **__: text


def quote(identifier: str) -> str:
    """A quoted identifier."""
    return f'"{identifier}"'
