"""What was asked of a source and what came back: one row a slice, kept for ever.

Belongs here: the coverage row, the arithmetic of time slices, and reading back which slices are
complete. Does not belong here: asking a source, or judging what an incomplete slice means.

Coverage instead of one cursor: a slice counts as read only when its list was read to the end, so a
gap stays visible and is read again, whatever was read after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from ingest.landing import BatchManifest, Landing
from ingest.tables import COVERAGE

__all__ = [
    "COMPLETE",
    "DENIED",
    "EPOCH",
    "FAILED",
    "OVERLAP",
    "PARTIAL",
    "CoverageRow",
    "Interval",
    "complete_intervals",
    "intervals_to_read",
    "land_coverage",
    "month_start",
    "split_by_month",
]

COMPLETE: Final = "complete"
PARTIAL: Final = "partial"
DENIED: Final = "denied"
FAILED: Final = "failed"

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Objects become visible up to minutes after the time they carry.
OVERLAP: Final = timedelta(minutes=15)

Interval = tuple[datetime, datetime]


@dataclass(frozen=True)
class CoverageRow:
    """One slice of one list: `[slice_from, slice_to)`, what was read, how it ended.

    Attributes:
        source: Such as `stripe`.
        account_id: Account that was asked; None for sources without accounts.
        endpoint: Name of the list or the artifact type.
        tenant_id: Tenant that was asked; None for the rail.
        slice_from: Start, inclusive.
        slice_to: End, exclusive; the newest slice is read without an upper bound.
        status: `complete`, `partial` (some rows read, then it broke, or some were refused),
            `denied` or `failed`.
        rows_read: Objects received.
        rows_landed: Of these, new or changed and therefore landed.
        amount_sum_cents: Control total of the amounts received, over all currencies; None for
            objects without an amount.
        error_code: Stable code of what broke, or None.
        error_detail: One paragraph about it, or None.
        started_at: When the first request of the slice left.
        finished_at: When the slice ended.
        pull_id: The pull that read it.
        is_platform: Whether the account is the platform itself; None for sources without accounts.
        purpose: Why it was asked: `new`, `open`, `audit`, `all`.
    """

    source: str
    account_id: str | None
    endpoint: str
    tenant_id: str | None
    slice_from: datetime
    slice_to: datetime
    status: str
    rows_read: int
    rows_landed: int
    amount_sum_cents: int | None
    error_code: str | None
    error_detail: str | None
    started_at: datetime
    finished_at: datetime
    pull_id: str
    is_platform: bool | None = None
    purpose: str | None = None


def land_coverage(
    landing: Landing, rows: Sequence[CoverageRow], *, batch_id: str, received_at: datetime
) -> BatchManifest | None:
    """Lands coverage, as the last table of a pull: a slice counts only after its rows are in."""
    return landing.write(
        COVERAGE, (asdict(row) for row in rows), batch_id=batch_id, received_at=received_at
    )


def complete_intervals(
    landing: Landing, *, source: str, endpoint: str
) -> dict[str, list[Interval]]:
    """Complete slices by account, in no order, from everything committed so far."""
    found: dict[str, list[Interval]] = {}
    names = ("source", "endpoint", "status", "account_id", "slice_from", "slice_to")
    for row_source, row_endpoint, status, account_id, start, end in landing.rows(COVERAGE, names):
        if (row_source, row_endpoint, status) == (source, endpoint, COMPLETE):
            assert isinstance(start, datetime)
            assert isinstance(end, datetime)
            found.setdefault(str(account_id), []).append((start, end))
    return found


def intervals_to_read(complete: Iterable[Interval], *, until: datetime) -> list[Interval]:
    """What is not yet complete before `until`, oldest first.

    Every gap counts, and the newest interval always starts `OVERLAP` before the end of what is
    complete. With nothing complete the answer is everything since `EPOCH`.
    """
    gaps: list[Interval] = []
    reached = EPOCH
    for start, end in sorted(complete):
        if start > reached:
            gaps.append((reached, min(start, until)))
        reached = max(reached, end)
    newest = max(EPOCH, min(reached, until) - OVERLAP)
    return [gap for gap in gaps if gap[0] < newest] + [(newest, until)]


def split_by_month(interval: Interval, *, oldest: datetime) -> list[Interval]:
    """Cuts an interval at month starts, oldest first; all before the month after `oldest` stays in
    one piece."""
    start, end = interval
    cuts: list[datetime] = []
    cut = month_start(end)
    while cut > max(start, month_start(oldest)):
        cuts.append(cut)
        cut = month_start(cut, back=1)
    edges = [start, *(cut for cut in reversed(cuts) if start < cut < end), end]
    return list(pairwise(edges))


def month_start(at: datetime, *, back: int = 0) -> datetime:
    """The start of the UTC month of `at`, or `back` months before it, from 1970 on."""
    months = at.year * 12 + at.month - 1 - back
    return max(EPOCH, datetime(max(months // 12, 1970), months % 12 + 1, 1, tzinfo=UTC))
