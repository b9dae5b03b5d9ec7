"""Which lists exist and how their parameters choose objects.

Belongs here: the filters of every list, exact, ranged and by event type.
Does not belong here: cursors and pages (reads.py, store.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ingest.simulator import forms
from ingest.simulator.errors import RailError
from ingest.simulator.store import NEVER

__all__ = ["LISTS", "PAGING", "ListSpec", "bounds", "keeper"]

PAGING = ("limit", "starting_after", "ending_before")
_MAX_EVENT_TYPES = 20


@dataclass(frozen=True)
class ListSpec:
    """One list: its kind and the parameters it takes."""

    kind: str
    equal: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ("created",)
    special: tuple[str, ...] = ()

    def known(self) -> frozenset[str]:
        """Return every parameter name the list takes."""
        return frozenset((*PAGING, *self.equal, *self.ranges, *self.special))


LISTS: Mapping[str, ListSpec] = {
    "accounts": ListSpec("account"),
    "application_fees": ListSpec("application_fee", ("charge",)),
    "balance_transactions": ListSpec(
        "balance_transaction", ("currency", "source", "type"), special=("payout",)
    ),
    "charges": ListSpec("charge", ("customer", "payment_intent", "transfer_group")),
    "disputes": ListSpec("dispute", ("charge", "payment_intent")),
    "events": ListSpec("event", special=("type", "types", "delivery_success")),
    "payouts": ListSpec("payout", ("destination", "status"), ("created", "arrival_date")),
    "refunds": ListSpec("refund", ("charge", "payment_intent")),
    "topups": ListSpec("topup", ("status",), ("created", "amount")),
    "transfers": ListSpec("transfer", ("destination", "transfer_group")),
}


def keeper(spec: ListSpec, given: Mapping[str, Any]) -> Callable[[dict[str, Any]], bool] | None:
    """Return what decides whether an object is listed, or None where everything is."""
    equal = {name: forms.text(given, name) for name in spec.equal}
    equal = {name: value for name, value in equal.items() if value is not None}
    ranges = {
        name: bounds(given, name) for name in spec.ranges if name != "created" and name in given
    }
    patterns = _event_patterns(given) if spec.kind == "event" else []
    if not (equal or ranges or patterns):
        return None

    def keep(shown: dict[str, Any]) -> bool:
        return (
            all(shown.get(name) == value for name, value in equal.items())
            and all(low <= shown[name] <= high for name, (low, high) in ranges.items())
            and (not patterns or any(fnmatchcase(shown["type"], p) for p in patterns))
        )

    return keep


def _event_patterns(given: Mapping[str, Any]) -> list[str]:
    one, several = forms.text(given, "type"), given.get("types", [])
    if not isinstance(several, list) or len(several) > _MAX_EVENT_TYPES:
        raise RailError(f"got types that are no list of at most {_MAX_EVENT_TYPES}", param="types")
    return [one] if one is not None else [str(name) for name in several]


def bounds(given: Mapping[str, Any], name: str) -> tuple[int, int]:
    """Return inclusive bounds of `name=n` or `name[gte]=n&name[lt]=m`."""
    value = given.get(name)
    if not isinstance(value, dict):
        exact = forms.integer(given, name)
        return (0, NEVER) if exact is None else (exact, exact)
    forms.check_known(value, frozenset(("gt", "gte", "lt", "lte")))
    edges = {edge: forms.integer(value, edge) for edge in value}
    low, high = 0, NEVER
    for edge, bound in edges.items():
        if bound is None:
            continue
        if edge.startswith("g"):
            low = max(low, bound + (edge == "gt"))
        else:
            high = min(high, bound - (edge == "lt"))
    return low, high
