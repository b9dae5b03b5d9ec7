"""What was asked of a source and what came back: one row a slice, kept for ever.

Belongs here: the coverage row, the arithmetic of time slices, and reading back which slices are
complete. Does not belong here: asking a source, or judging what an incomplete slice means.

Coverage instead of one cursor: a slice counts as read only when its list was read to the end, so a
gap stays visible and is read again, whatever was read after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from ingest.landing import BatchManifest, Landing
from ingest.parquet import sql_text, sql_time
from ingest.tables import COVERAGE

__all__ = [
    "COMPLETE",
    "DENIED",
    "DEPARTED",
    "EPOCH",
    "FAILED",
    "OVERLAP",
    "PARTIAL",
    "CoverageRow",
    "Interval",
    "complete_intervals",
    "intervals_to_read",
    "land_coverage",
    "last_finished",
    "merged_intervals",
    "month_start",
    "split_by_month",
]

COMPLETE: Final = "complete"
PARTIAL: Final = "partial"
DENIED: Final = "denied"
DEPARTED: Final = "departed"
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
            `denied`, `failed`, or `departed` for an account that two people say has left.
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
    landing: Landing, *, source: str, families: Mapping[str, str], since: datetime = EPOCH
) -> dict[tuple[str, str], list[Interval]]:
    """What is read to its end, by (endpoint, account), from everything committed so far.

    Args:
        landing: The home.
        source: Such as `stripe`.
        families: The endpoint that each covered name counts for: a slice is whole only together
            with the lists that hang off it.
        since: Only what was begun at or after it.
    """
    found: dict[tuple[str, str], list[Interval]] = {}
    query = f"""{_wholes(source, families, since)},
        marked as (
            select *, case when slice_from <= max(slice_to) over (
                partition by endpoint, account_id order by slice_from, slice_to
                rows between unbounded preceding and 1 preceding
            ) then 0 else 1 end as begins
            from wholes
        ),
        numbered as (
            select *, sum(begins) over (
                partition by endpoint, account_id order by slice_from, slice_to
                rows unbounded preceding
            ) as island
            from marked
        )
        select endpoint, account_id, min(slice_from), max(slice_to) from numbered
        group by endpoint, account_id, island"""
    for endpoint, account_id, start, end in landing.query(query, coverage=COVERAGE):
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        found.setdefault((str(endpoint), str(account_id)), []).append((start, end))
    return found


def last_finished(
    landing: Landing, *, source: str, families: Mapping[str, str], closing: str
) -> dict[tuple[str, str], datetime]:
    """When the newest pull began that read all it asked for, by (endpoint, account).

    Args:
        landing: The home.
        source: Such as `stripe`.
        families: See `complete_intervals`.
        closing: The endpoint that a pull covers last: a pull without it died.
    """
    query = f"""{_familiar(source, families)},
        finished as (
            select distinct pull_id from coverage
            where source = {sql_text(source)} and endpoint = {sql_text(closing)}
        ),
        pulls as (
            select endpoint, account_id, pull_id, max(received_at) as began_at,
                bool_and(status = 'complete') as whole
            from familiar semi join finished using (pull_id)
            group by endpoint, account_id, pull_id
        )
        select endpoint, account_id, max(began_at) from pulls where whole group by all"""
    found = landing.query(query, coverage=COVERAGE)
    return {
        (str(name), str(account)): at for name, account, at in found if isinstance(at, datetime)
    }


def _familiar(source: str, families: Mapping[str, str]) -> str:
    pairs = ", ".join(f"({sql_text(name)}, {sql_text(of)})" for name, of in families.items())
    return f""", families (covered, endpoint) as (values {pairs}),
        familiar as (
            select f.endpoint, c.account_id, c.pull_id, c.slice_from, c.slice_to, c.status,
                c.started_at, c.received_at
            from coverage as c join families as f on c.endpoint = f.covered
            where c.source = {sql_text(source)}
        )"""


def _wholes(source: str, families: Mapping[str, str], since: datetime) -> str:
    return f"""{_familiar(source, families)},
        wholes as (
            select endpoint, account_id, slice_from, slice_to
            from familiar where slice_from < slice_to and started_at >= {sql_time(since)}
            group by endpoint, account_id, pull_id, slice_from, slice_to
            having bool_and(status = 'complete')
        )"""


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


def merged_intervals(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time in as few intervals as can be, oldest first."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


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
