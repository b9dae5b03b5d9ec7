"""Lines in ascending order, however many there are, in memory that does not grow with them.

What belongs here: sorting batches, laying them by in a file and merging them. What does not: what
a line says and which order is meant; the caller knows both.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

Ordered: TypeAlias = tuple[Any, bytes]
"""What a line is ordered by, and the line without its newline."""

BATCH_BYTES: int = 16 << 20
BATCH_ROWS: int = 1 << 15
_MIN_PIECE_BYTES: Final = 1 << 10


@dataclass
class _Run:
    """Ascending lines in the file, from `start` up to `end`; `last` is the order of the last."""

    start: int
    end: int
    last: Any


def sorted_lines(
    items: Iterable[Ordered],
    order_of: Callable[[bytes], Any],
    repeated: Callable[[Any], None] | None = None,
    folder: Path | None = None,
) -> Iterator[bytes]:
    """The lines in ascending order.

    Args:
        items: order and line of each, in any order; a line holds no newline.
        order_of: the order of a line that was laid by.
        repeated: called with the order of two lines that share one, which are neighbours.
        folder: where lines are laid by that are too many for one batch.
    """
    # What arrives in order is one run, which is read back as it is.
    runs: list[_Run] = []
    with ExitStack() as stack:
        file: IO[bytes] | None = None
        for batch, is_last in _batches(items):
            batch.sort()
            _check((order for order, _ in batch), repeated)
            if is_last and not runs:
                yield from (line for _, line in batch)
                return
            if file is None:
                file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            first, last = batch[0][0], batch[-1][0]
            if runs and runs[-1].last <= first:
                _check((runs[-1].last, first), repeated)
            else:
                start = runs[-1].end if runs else 0
                runs.append(_Run(start, start, last))
            data = b"".join(line + b"\n" for _, line in batch)
            file.write(data)
            runs[-1].end, runs[-1].last = runs[-1].end + len(data), last
        if file is None:
            return
        if len(runs) == 1:
            yield from _lines(file, runs[0], _MIN_PIECE_BYTES << 6)
            return
        # All runs are read at once, so they share what one batch took.
        share = max(BATCH_BYTES // 4 // len(runs), _MIN_PIECE_BYTES)
        merged = heapq.merge(
            *(((order_of(line), line) for line in _lines(file, run, share)) for run in runs)
        )
        before = None
        for order, line in merged:
            if repeated is not None and order == before:
                repeated(order)
            before = order
            yield line


def _batches(items: Iterable[Ordered]) -> Iterator[tuple[list[Ordered], bool]]:
    """Batches of bounded size, and whether no other follows; an empty input has none."""
    batch: list[Ordered] = []
    size = 0
    for item in items:
        if size > BATCH_BYTES or len(batch) >= BATCH_ROWS:
            yield batch, False
            batch, size = [], 0
        batch.append(item)
        size += len(item[1])
    if batch:
        yield batch, True


def _check(orders: Iterable[Any], repeated: Callable[[Any], None] | None) -> None:
    if repeated is not None:
        for before, after in pairwise(orders):
            if before == after:
                repeated(after)


def _lines(file: IO[bytes], run: _Run, piece_bytes: int) -> Iterator[bytes]:
    position, rest = run.start, b""
    while position < run.end:
        file.seek(position)
        piece = file.read(min(piece_bytes, run.end - position))
        position += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
