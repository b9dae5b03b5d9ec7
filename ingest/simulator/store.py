"""Where objects lie: one shelf per (kind, account), ordered by creation, with cached JSON bytes.

Belongs here: insertion, lookup, time-ordered paging, the byte cache and deterministic ids.
Does not belong here: what an object contains (objects.py), or what a page looks like over HTTP.
"""

from __future__ import annotations

from base64 import b64encode
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from ingest.simulator.errors import RailError

__all__ = ["KINDS", "NEVER", "IdMint", "PageRequest", "Shelf", "View", "singular"]

# A view is the object as shown now, the first second it was so and the first it is not any more.
View = tuple[dict[str, Any], int, int]
NEVER = 1 << 62
_CACHE_LIMIT = 250_000

KINDS = (
    "account",
    "application_fee",
    "balance_transaction",
    "charge",
    "dispute",
    "event",
    "fee_refund",
    "payout",
    "refund",
    "topup",
    "transfer",
    "transfer_reversal",
)
_PLURALS = {f"{kind}s": kind for kind in KINDS} | {
    "application_fee_refund": "fee_refund",
    "application_fee_refunds": "fee_refund",
    "reversals": "transfer_reversal",
}


def singular(kind: str) -> str:
    """Return the object name of a kind given in singular or plural."""
    name = _PLURALS.get(kind, kind)
    if name not in KINDS:
        raise RailError(f"got kind {kind!r}; expected one of {', '.join(KINDS)}")
    return name


class IdMint:
    """Ids shaped like Stripe's, decided by the seed and the order of acts.

    Inside `salted` they are decided by the salt instead, so that a replayed act gets the id it
    had, however many objects were planted before it.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counts: dict[str, int] = defaultdict(int)
        self._salt: str | None = None
        self._salted_counts: dict[str, int] = defaultdict(int)

    @contextmanager
    def salted(self, salt: str) -> Iterator[None]:
        """Mint from `salt` for the length of the block."""
        self._salt, self._salted_counts = salt, defaultdict(int)
        try:
            yield
        finally:
            self._salt = None

    def mint(self, prefix: str, length: int = 24) -> str:
        """Return `<prefix>_<length characters>`; prefixes count apart, so that an event that is
        not recorded shifts no other id."""
        counts = self._counts if self._salt is None else self._salted_counts
        counts[prefix] += 1
        name = f"{self._seed}|{prefix}|{self._salt or ''}|{counts[prefix]}"
        letters = b64encode(sha256(name.encode()).digest(), b"Zz")
        return f"{prefix}_1{letters[: length - 1].decode()}"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted; bounds are inclusive unix seconds, `keep` sees the shown object."""

    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None
    created_from: int = 0
    created_to: int = NEVER
    keep: Callable[[dict[str, Any]], bool] | None = None
    hidden: Callable[[str, int], bool] | None = None


class Shelf:
    """The objects of one kind on one account."""

    def __init__(self, render: Callable[[Any], View]) -> None:
        self._render = render
        self._records: dict[str, Any] = {}
        self._keys: dict[str, tuple[int, int, str]] = {}
        self._order: list[tuple[int, int, str]] = []
        self._cache: dict[str, tuple[bytes, int, int]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, object_id: str) -> bool:
        return object_id in self._records

    def add(self, object_id: str, created: int, record: Any) -> None:
        """Add a new record, or replace one of the same id in its place."""
        if object_id in self._records:
            self._records[object_id] = record
            self.touch(object_id)
            return
        key = (created, len(self._order), object_id)
        self._records[object_id] = record
        self._keys[object_id] = key
        if not self._order or key > self._order[-1]:
            self._order.append(key)
        else:
            insort(self._order, key)

    def remove(self, object_id: str) -> None:
        """Take a record off the shelf for good."""
        self._order.remove(self._keys.pop(object_id))
        del self._records[object_id]
        self.touch(object_id)

    def record(self, object_id: str) -> Any:
        """Return the mutable record, or None; call `touch` after changing it."""
        return self._records.get(object_id)

    def touch(self, object_id: str) -> None:
        """Forget the cached bytes of a record that changed."""
        self._cache.pop(object_id, None)

    def view(self, object_id: str) -> dict[str, Any]:
        """Return the object as shown now; shares state with the record, do not change it."""
        return self._render(self._records[object_id])[0]

    def body(self, object_id: str, now: int) -> bytes:
        """Return the object's JSON bytes as shown at `now`."""
        cached = self._cache.get(object_id)
        if cached is not None and cached[1] <= now < cached[2]:
            return cached[0]
        shown, since, until = self._render(self._records[object_id])
        body = orjson.dumps(shown)
        if len(self._cache) >= _CACHE_LIMIT:
            self._cache.clear()
        self._cache[object_id] = (body, since, until)
        return body

    def created(self, object_id: str) -> int:
        """Return the unix second an object is ordered by."""
        return self._keys[object_id][0]

    def like(self) -> Shelf:
        """Return an empty shelf that shows records the same way."""
        return Shelf(self._render)

    def ids(self) -> Iterator[str]:
        """Yield ids, newest first."""
        for _, _, object_id in reversed(self._order):
            yield object_id

    def page(self, wanted: PageRequest) -> tuple[list[str], bool] | None:
        """Return (ids newest first, has_more), or None where the cursor does not exist."""
        low = bisect_left(self._order, (wanted.created_from, -1, ""))
        high = bisect_right(self._order, (wanted.created_to, NEVER, ""))
        cursor = wanted.starting_after or wanted.ending_before
        if cursor is None:
            return self._walk(range(high - 1, low - 1, -1), wanted)
        key = self._keys.get(cursor)
        if key is None:
            return None
        position = bisect_left(self._order, key)
        if wanted.starting_after is not None:
            return self._walk(range(min(high, position) - 1, low - 1, -1), wanted)
        newer, has_more = self._walk(range(max(low, position + 1), high), wanted)
        return newer[::-1], has_more

    def _walk(self, positions: range, wanted: PageRequest) -> tuple[list[str], bool]:
        found: list[str] = []
        for position in positions:
            created, _, object_id = self._order[position]
            if wanted.hidden is not None and wanted.hidden(object_id, created):
                continue
            if wanted.keep is not None and not wanted.keep(self.view(object_id)):
                continue
            if len(found) == wanted.limit:
                return found, True
            found.append(object_id)
        return found, False
