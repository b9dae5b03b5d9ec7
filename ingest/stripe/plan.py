"""Which slices a list is cut into, and in how many threads they are read.

Belongs here: the slices that are new since the last pull, cutting what turned out to be long, and
merging slices that are read at the same time. Does not belong here: reading a slice, landing, which
old objects are read again (`ingest.stripe.rereads`).

Nobody knows beforehand how long a list is. So a slice is read from its newest object on, and after
a number of pages it ends where it is: what was read is whole, and the rest becomes further slices
that others read side by side. A short list costs one request, a long one is cut as finely as needs
be, and a pull that dies has lost little.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, TypeVar

from ingest.coverage import EPOCH, Interval, intervals_to_read, month_start
from ingest.errors import SourceDenied, SourceIncomplete, SourceUnavailable
from ingest.stripe.reader import StripeReader
from ingest.stripe.slices import UNAUTHORIZED, Account, Slice

__all__ = ["merged", "new_slices", "rest_of", "whole_slice"]

_T = TypeVar("_T")
_R = TypeVar("_R")
# Stripe has no objects from before its first year.
_FIRST: Final = datetime(2010, 1, 1, tzinfo=EPOCH.tzinfo)
_POLL_SECONDS: Final = 0.2
_MAX_PARTS: Final = 64
# A part that is expected to fill its pages to this share leaves room for uneven trade.
_FILL: Final = 0.7


def whole_slice(account: Account, now: datetime, purpose: str = "all") -> Slice:
    """The whole of a list."""
    return Slice(account, EPOCH, now, purpose=purpose)


def new_slices(account: Account, complete: Iterable[Interval], now: datetime) -> list[Slice]:
    """What is still to be read of a list: every gap, and the newest part with its overlap."""
    intervals = intervals_to_read(complete, until=now)
    return [
        Slice(
            account,
            start,
            end,
            open_ended=number == len(intervals),
            bounded=start > EPOCH,
            purpose="new",
        )
        for number, (start, end) in enumerate(intervals, start=1)
    ]


def rest_of(
    reader: StripeReader, path: str, part: Slice, *, cut: datetime, objects: int, per_slice: int
) -> list[Slice]:
    """Slices for what a slice that ended at `cut` has left.

    Args:
        reader: Asked how far back the list goes, where the slice has no start of its own.
        path: Of the list.
        part: The slice; `[part.start, cut)` is left.
        cut: Where it ended.
        objects: How many it has read above `cut`.
        per_slice: How many one slice should hold.

    Raises:
        SourceDenied: The key itself was refused (HTTP 401).
    """
    oldest = part.start
    if not part.bounded:
        oldest = min(cut, _oldest_month(reader, path, part.account, cut))
    # Trade is taken to have been as brisk before the cut as it was after it.
    seconds = max((part.end - cut).total_seconds(), 1.0)
    expected = objects * (cut - oldest).total_seconds() / seconds / (per_slice * _FILL)
    pieces = _even(oldest, cut, max(2, min(_MAX_PARTS, int(expected) + 1)))
    if part.start < oldest:
        pieces.insert(0, (part.start, oldest))
    return [
        Slice(
            part.account,
            start,
            end,
            open_ended=False,
            # Of a list without a start the oldest piece has none either.
            bounded=part.bounded or start > EPOCH,
            purpose=part.purpose,
        )
        for start, end in pieces
    ]


def _even(start: datetime, end: datetime, parts: int) -> list[Interval]:
    seconds = int((end - start).total_seconds())
    edges = {start + timedelta(seconds=seconds * number // parts) for number in range(parts)}
    return list(pairwise([*sorted(edges - {end}), end]))


def _oldest_month(reader: StripeReader, path: str, account: Account, now: datetime) -> datetime:
    """The month of the oldest object, by doubling steps back and then halving; about ten requests.

    A list that cannot be probed is one slice: reading it will say what is wrong.
    """

    def older_than(months_back: int) -> bool:
        before = int(month_start(now, back=months_back).timestamp())
        answer, _ = reader.get(
            path, {"limit": 1, "created": {"lt": before}}, account=account.header
        )
        return bool(answer.get("data"))

    last = (now.year - _FIRST.year) * 12 + now.month
    try:
        low, high = -1, 0
        while high < last and older_than(high):
            low, high = high, min(last, 2 * high + 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if older_than(middle) else (low, middle)
    except (SourceDenied, SourceIncomplete, SourceUnavailable) as error:
        if error.code == UNAUTHORIZED:
            raise
        return now
    return month_start(now, back=max(high, 0))


def merged(
    tasks: Iterable[_T],
    produce: Callable[[_T], Iterator[_R]],
    *,
    workers: int,
    further: Callable[[_T], Sequence[_T]] = lambda task: (),
    enough: Callable[[], bool] = lambda: False,
) -> Iterator[_R]:
    """What `produce` yields for each task, from up to `workers` threads at a time.

    Order between tasks is free. At most a few items wait in memory. The first error of any task is
    raised here, and all threads have ended when this generator has.

    Args:
        tasks: What to do; of a deque, those that were not begun stay in it.
        produce: Does one task.
        workers: Threads.
        further: Tasks that came to light while one was done.
        enough: Asked before each task whether to begin no more.
    """
    waiting = tasks if isinstance(tasks, deque) else deque(tasks)
    if workers <= 1:
        while waiting and not enough():
            task = waiting.popleft()
            yield from produce(task)
            waiting.extend(further(task))
        return
    items: queue.Queue[tuple[_R | None, _T | None, BaseException | None]] = queue.Queue(2 * workers)
    stop = threading.Event()

    def put(item: _R | None, done: _T | None = None, error: BaseException | None = None) -> None:
        while not stop.is_set():
            try:
                items.put((item, done, error), timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue

    def run(task: _T) -> None:
        try:
            for item in produce(task):
                put(item)
                if stop.is_set():
                    return
            put(None, task)
        except BaseException as error:
            put(None, task, error)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            running = 0
            while True:
                while waiting and running < workers and not enough():
                    pool.submit(run, waiting.popleft())
                    running += 1
                if not running:
                    return
                item, done, error = items.get()
                if error is not None:
                    raise error
                if done is not None:
                    running -= 1
                    waiting.extend(further(done))
                elif item is not None:
                    yield item
        finally:
            stop.set()
