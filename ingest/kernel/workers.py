"""Sheets of lines read in other processes, handed back in the order they were given.

Belongs here: how many processes, how much waits at once, and what happens when one dies. Does not
belong here: what a line says (lines.py).

A small export is read in this process: starting another costs more than it saves.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from ingest.kernel.lines import LineRead, Sheet, read_sheet
from ingest.kernel.verify import ArtifactVerifier

__all__ = ["Readers", "cores"]

MAX_WORKERS: Final = 8
_WAITING_A_WORKER: Final = 2
_VERIFIER: list[ArtifactVerifier] = []


def cores() -> int:
    """Processor cores that this process may use, at most as many as are of use."""
    usable = getattr(os, "sched_getaffinity", None)
    return min(MAX_WORKERS, len(usable(0)) if usable else os.cpu_count() or 1)


class Readers:
    """Reads sheets, in this process or in several others.

    Args:
        verifier: Sent to each process once, so it must survive pickling.
        workers: Processes; 1 reads everything in this one.
    """

    def __init__(self, verifier: ArtifactVerifier, workers: int) -> None:
        self._verifier = verifier
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def read(self, sheets: Iterable[Sheet], *, large: bool) -> Iterator[list[LineRead]]:
        """The lines of every sheet, in order; at most a few sheets are held at once.

        Args:
            sheets: What to read; taken as places become free.
            large: Whether there is enough to keep several processes busy.
        """
        if not large or self._workers == 1:
            for sheet in sheets:
                yield read_sheet(self._verifier, sheet)
            return
        waiting: deque[tuple[Sheet, Future[list[LineRead]] | None]] = deque()
        for sheet in sheets:
            waiting.append((sheet, self._submit(sheet)))
            if len(waiting) > self._workers * _WAITING_A_WORKER:
                yield self._result(*waiting.popleft())
        while waiting:
            yield self._result(*waiting.popleft())

    def close(self) -> None:
        """Ends the processes that were started."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _submit(self, sheet: Sheet) -> Future[list[LineRead]] | None:
        if self._workers == 1:
            return None
        if self._pool is None:
            # Never forked: the parent has threads, and their locks would be copied locked.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._workers, context, initializer=_begin, initargs=(self._verifier,)
            )
        try:
            return self._pool.submit(_work, sheet)
        except BrokenProcessPool:
            self._lost()
        return None

    def _result(self, sheet: Sheet, future: Future[list[LineRead]] | None) -> list[LineRead]:
        if future is not None:
            try:
                return future.result()
            except BrokenProcessPool:
                # Killed, or out of memory: the sheet is still here, and this process goes on alone.
                self._lost()
        return read_sheet(self._verifier, sheet)

    def _lost(self) -> None:
        self._workers = 1
        self.close()


def _begin(verifier: ArtifactVerifier) -> None:
    _VERIFIER[:] = [verifier]


def _work(sheet: Sheet) -> list[LineRead]:
    return read_sheet(_VERIFIER[0], sheet)
