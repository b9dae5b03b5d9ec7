"""Which slices a pull reads, and in how many threads.

Belongs here: time slices of incrementally read lists, the probe for the oldest object, and merging
slices that are read at the same time. Does not belong here: reading a slice, landing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final, TypeVar

from ingest.coverage import EPOCH, Interval, intervals_to_read, month_start, split_by_month
from ingest.errors import SourceDenied, SourceIncomplete, SourceUnavailable
from ingest.stripe.reader import StripeReader
from ingest.stripe.slices import UNAUTHORIZED, Account, Slice

__all__ = ["merged", "time_slices", "whole_slice"]

_T = TypeVar("_T")
_R = TypeVar("_R")
# Stripe has no objects from before its first year.
_FIRST: Final = datetime(2010, 1, 1, tzinfo=EPOCH.tzinfo)
_POLL_SECONDS: Final = 0.2


def whole_slice(account: Account, now: datetime) -> Slice:
    """The slice of a list that is read in full every time."""
    return Slice(account, EPOCH, now)


def time_slices(
    reader: StripeReader, path: str, account: Account, complete: Iterable[Interval], now: datetime
) -> list[Slice]:
    """What is still to be read of a list, cut by month so that parts can be read side by side.

    Raises:
        SourceDenied: The key itself was refused (HTTP 401).
    """
    intervals = intervals_to_read(complete, until=now)
    if intervals[0][0] == EPOCH:
        oldest = _oldest_month(reader, path, account, now)
    else:
        oldest = intervals[0][0]
    pieces = [piece for whole in intervals for piece in split_by_month(whole, oldest=oldest)]
    return [
        Slice(account, start, end, open_ended=number == len(pieces), bounded=start > EPOCH)
        for number, (start, end) in enumerate(pieces, start=1)
    ]


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
    tasks: Sequence[_T], produce: Callable[[_T], Iterator[_R]], *, workers: int
) -> Iterator[_R]:
    """What `produce` yields for each task, from up to `workers` threads at a time.

    Order between tasks is free. At most a few items wait in memory. The first error of any task is
    raised here, and all threads have ended when this generator has.
    """
    if workers <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield from produce(task)
        return
    items: queue.Queue[tuple[_R | None, BaseException | None]] = queue.Queue(maxsize=2 * workers)
    stop = threading.Event()

    def put(item: _R | None, error: BaseException | None = None) -> None:
        while not stop.is_set():
            try:
                items.put((item, error), timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue

    def run(task: _T) -> None:
        if stop.is_set():
            return
        try:
            for item in produce(task):
                put(item)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:
            put(None, error)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            for task in tasks:
                pool.submit(run, task)
            running = len(tasks)
            while running:
                item, error = items.get()
                if error is not None:
                    raise error
                if item is None:
                    running -= 1
                else:
                    yield item
        finally:
            stop.set()
