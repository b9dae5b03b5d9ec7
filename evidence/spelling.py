"""How a row of the warehouse is spelled in a packet, so that issuer and replay say it alike.

What belongs here: which columns stay out, and the text form of times, dates and currencies. What
does not: which rows a packet holds, and writing them as JSON (tables.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

from evidence.findings import VOLATILE_COLUMNS

LEFT_OUT = frozenset({*VOLATILE_COLUMNS, "as_of", "first_seen_at", "override_id"})
"""Columns of the warehouse that tell of a run rather than of money."""

_CURRENCIES = ("currency", "object_currency")


def table_rows(rows: Iterable[Mapping[str, object]]) -> Iterator[dict[str, object]]:
    """Rows of a mart as packet tables spell them: nothing volatile, currencies in lower case.

    An item that is neither break nor pending is left out: what was resolved since the run before
    says something of that run and not of the period, and what was written off is a line of the
    bridge.
    """
    return (_row(row) for row in rows if "lifecycle" not in row or row.get("outcome") != "ok")


def cell(value: object) -> object:
    """One value: times as UTC text, dates as ISO text, anything else as it is.

    A time without a zone is one of the warehouse's, and those are in UTC.
    """
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    return value


def _row(row: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value.lower() if name in _CURRENCIES and isinstance(value, str) else cell(value)
        for name, value in row.items()
        if name not in LEFT_OUT
    }
