"""Which slices are read: gaps by themselves, fifteen minutes back, months side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ingest.coverage import (
    EPOCH,
    OVERLAP,
    Interval,
    intervals_to_read,
    month_start,
    split_by_month,
)
from ingest.stripe.plan import merged

NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)
HOURS = some.integers(0, 24 * 900).map(lambda hours: EPOCH + timedelta(hours=hours * 500))


def test_with_nothing_complete_everything_is_to_be_read() -> None:
    assert intervals_to_read([], until=NOW) == [(EPOCH, NOW)]


def test_gaps_are_found_wherever_they_are() -> None:
    def day(number: int) -> datetime:
        return datetime(2026, 1, number, tzinfo=UTC)

    complete = [(day(9), day(12)), (EPOCH, day(3)), (day(2), day(5)), (day(11), day(20))]
    assert intervals_to_read(complete, until=NOW) == [
        (day(5), day(9)),
        (day(20) - OVERLAP, NOW),
    ]


@given(some.lists(some.tuples(HOURS, HOURS).map(lambda pair: tuple(sorted(pair)))), HOURS)
def test_what_is_complete_and_what_is_read_leave_nothing_out(
    complete: list[Interval], until: datetime
) -> None:
    to_read = intervals_to_read(complete, until=until)
    assert to_read[-1][1] == until
    assert to_read == sorted(to_read)
    moments = {EPOCH, *(edge for interval in complete for edge in interval)}
    for moment in (moment for moment in moments if moment < until):
        covered = any(start <= moment < end for start, end in [*complete, *to_read])
        assert covered, moment


@given(HOURS, HOURS, HOURS)
def test_pieces_by_month_tile_the_interval(one: datetime, two: datetime, oldest: datetime) -> None:
    start, end = min(one, two), max(one, two) + timedelta(hours=1)
    pieces = split_by_month((start, end), oldest=oldest)
    assert pieces[0][0] == start
    assert pieces[-1][1] == end
    for (_, before), (after, _) in pairwise(pieces):
        assert before == after == month_start(before)
        assert before > oldest


def test_merged_yields_everything_of_every_task_from_several_threads() -> None:
    threads: set[int] = set()

    def produce(task: int) -> Iterator[int]:
        for number in range(50):
            threads.add(threading.get_ident())
            yield task * 100 + number

    found = sorted(merged(range(6), produce, workers=3))
    assert found == [task * 100 + number for task in range(6) for number in range(50)]
    assert len(threads) > 1


def test_merged_raises_the_first_error_and_ends_its_threads() -> None:
    def produce(task: int) -> Iterator[int]:
        for number in range(10_000):
            if (task, number) == (1, 20):
                raise ConnectionError
            yield number

    before = threading.active_count()
    with pytest.raises(ConnectionError):
        list(merged(range(8), produce, workers=4))
    assert threading.active_count() == before


def test_merged_ends_its_threads_when_the_reader_goes_away() -> None:
    def produce(task: int) -> Iterator[int]:
        while True:
            yield task

    before = threading.active_count()
    stream = merged(range(4), produce, workers=4)
    assert next(stream) in range(4)
    stream.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before
