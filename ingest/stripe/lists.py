"""Landing lists: slices are read side by side, landed in waves, and counted.

Belongs here: what one wave is, the order of its tables, the coverage rows of its slices. Does not
belong here: which slices there are (`rereads`, `plan`), reading one (`slices`), the order of lists
(`client`).

A wave is one batch a table. It ends with its slices, or after so many rows or seconds that a pull
that dies has lost little: what a wave landed is covered, and the next pull reads what is left.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from ingest.coverage import EPOCH, CoverageRow, land_coverage
from ingest.landing import Landing
from ingest.stripe.endpoints import Endpoint
from ingest.stripe.plan import merged, rest_of
from ingest.stripe.reader import PAGE_LIMIT, StripeReader
from ingest.stripe.shapes import Seal
from ingest.stripe.slices import Account, Slice, SliceReader, Tally
from ingest.stripe.spills import RowSpill
from ingest.tables import Quarantined, TableSpec

__all__ = ["ListLanding"]

SOURCE: Final = "stripe"
WAVE_ROWS: Final = 250_000
WAVE_SECONDS: Final = 60.0
_FAR: Final = datetime(9999, 1, 1, tzinfo=EPOCH.tzinfo)

Row = dict[str, Any]


class ListLanding:
    """Where the lists of one pull go.

    Args:
        reader: The way to Stripe.
        seal: For digests and masks.
        landing: Where batches go.
        now: When the pull began; the `received_at` of all its batches.
        pull_id: The pull.
        batch_id: Of its first batch of each table.
        workers: Slices that are read at the same time.
        slice_pages: Pages after which a slice is cut.
        full: Children that never change are read again too.
        clock: For the times in coverage.
        progress: Told a list's name and the objects read of it so far.
        erased: See `SliceReader`.

    Attributes:
        coverage: Every slice of the pull so far.
    """

    def __init__(
        self,
        *,
        reader: StripeReader,
        seal: Seal,
        landing: Landing,
        now: datetime,
        pull_id: str,
        batch_id: str,
        workers: int,
        slice_pages: int,
        full: bool,
        clock: Callable[[], datetime],
        progress: Callable[[str, int], None],
        erased: Collection[str] = (),
    ) -> None:
        self._reader = reader
        self._seal = seal
        self._landing = landing
        self._now = now
        self._pull_id = pull_id
        self._batch_id = batch_id
        self._workers = workers
        self._slice_pages = slice_pages
        self._full = full
        self._clock = clock
        self._progress = progress
        self._erased = erased
        self._waves: dict[str, int] = {}
        self._covered = 0
        self._covered_at = time.monotonic()
        self.coverage: list[CoverageRow] = []

    def read(
        self, endpoint: Endpoint, parts: Sequence[Slice], ids: list[str] | None = None
    ) -> list[Slice]:
        """Reads and lands slices of one list.

        Args:
            endpoint: The list.
            parts: Its slices.
            ids: Receives the id of every object, where it is wanted.

        Returns:
            The slices as they were read, cut ones with what was left of them.

        Raises:
            SourceDenied: The key itself was refused (HTTP 401).
            LandingError: The home cannot take the rows.
        """
        done: list[Slice] = []
        waiting = deque(parts)
        known = self._known_parents(endpoint) if parts else set()
        read = 0
        while waiting:
            begun, rows = self._wave(endpoint, waiting, known, ids, read)
            read += rows
            done += begun
            if time.monotonic() - self._covered_at > WAVE_SECONDS:
                self.cover()
        return done

    def write(
        self,
        spec: TableSpec,
        rows: Iterable[Row],
        refused: Sequence[Quarantined],
        batch_id: str,
        request: dict[str, object] | None = None,
    ) -> None:
        """Lands one batch of one table."""
        self._landing.write(
            spec,
            rows,
            batch_id=batch_id,
            received_at=self._now,
            request=request,
            quarantined=refused,
        )

    def cover(self) -> None:
        """Lands the coverage noted since it was last landed; its rows are in by then."""
        rows = self.coverage[self._covered :]
        if rows:
            batch_id = f"{self._batch_id}.{self._covered:06d}"
            land_coverage(self._landing, rows, batch_id=batch_id, received_at=self._now)
        self._covered += len(rows)
        self._covered_at = time.monotonic()

    def note(
        self, name: str, part: Slice, tally: Tally, landed: int, *, status: str | None = None
    ) -> None:
        """Notes one slice of coverage."""
        self.coverage.append(
            CoverageRow(
                source=SOURCE,
                account_id=part.account.account_id,
                endpoint=name,
                tenant_id=None,
                slice_from=part.start,
                slice_to=part.end,
                status=status or tally.status,
                rows_read=tally.rows_read,
                rows_landed=landed,
                amount_sum_cents=tally.amount_sum_cents,
                error_code=tally.problem.code if tally.problem else None,
                error_detail=str(tally.problem) if tally.problem else None,
                started_at=tally.started_at,
                finished_at=tally.finished_at,
                pull_id=self._pull_id,
                is_platform=part.account.is_platform,
                purpose=part.purpose,
            )
        )

    # --- one wave ---------------------------------------------------------------------------------

    def _wave(
        self,
        endpoint: Endpoint,
        waiting: deque[Slice],
        known: set[tuple[object, ...]],
        ids: list[str] | None,
        read_before: int,
    ) -> tuple[list[Slice], int]:
        begun: list[Slice] = []
        read = 0
        started = time.monotonic()
        batch_id = self._next_batch(endpoint)
        folder = self._landing.home / "state"
        spills = {c.shape.table: RowSpill(c.shape.spec, folder) for c in endpoint.children}
        slices = self._slice_reader(endpoint, spills, known)

        def enough() -> bool:
            return bool(begun) and (read >= WAVE_ROWS or time.monotonic() - started > WAVE_SECONDS)

        def produce(part: Slice) -> Iterator[list[Row]]:
            begun.append(part)
            return slices.read(part)

        def rows() -> Iterator[Row]:
            nonlocal read
            for page in merged(
                waiting,
                produce,
                workers=self._workers,
                further=lambda part: part.rest,
                enough=enough,
            ):
                read += len(page)
                self._progress(endpoint.name, read_before + read)
                if ids is not None:
                    ids.extend(str(row["id"]) for row in page)
                yield from page
            # Landing commits the parents only after this generator has ended.
            for child in endpoint.children:
                table = child.shape.table
                self.write(child.shape.spec, spills[table], slices.refused[table], batch_id)

        request: dict[str, object] = {"path": endpoint.path, "full": self._full}
        try:
            refused = slices.refused[endpoint.shape.table]
            self.write(endpoint.shape.spec, rows(), refused, batch_id, request)
        finally:
            for spill in spills.values():
                spill.close()
        self._note_wave(endpoint, begun, batch_id)
        return begun, read

    def _slice_reader(
        self, endpoint: Endpoint, spills: dict[str, RowSpill], known: set[tuple[object, ...]]
    ) -> SliceReader:
        def rest(part: Slice, cut: datetime, objects: int) -> list[Slice]:
            return rest_of(
                self._reader,
                endpoint.path,
                part,
                cut=cut,
                objects=objects,
                per_slice=self._slice_pages * PAGE_LIMIT,
            )

        return SliceReader(
            reader=self._reader,
            endpoint=endpoint,
            seal=self._seal,
            clock=self._clock,
            spills=spills,
            known_parents=known,
            max_pages=self._slice_pages,
            rest_of=rest,
            erased=self._erased,
        )

    def _next_batch(self, endpoint: Endpoint) -> str:
        wave = self._waves.get(endpoint.name, 0)
        self._waves[endpoint.name] = wave + 1
        return f"{self._batch_id}.{wave:04d}" if wave else self._batch_id

    def _known_parents(self, endpoint: Endpoint) -> set[tuple[object, ...]]:
        if self._full:
            return set()
        return {
            pair
            for child in endpoint.children
            if child.final
            for pair in self._landing.distinct(
                child.shape.spec, ("account_id", child.parent_column)
            )
        }

    # --- its coverage -----------------------------------------------------------------------------

    def _note_wave(self, endpoint: Endpoint, begun: list[Slice], batch_id: str) -> None:
        parts = _joined(begun)
        timed = [part for part in parts if not part.ids]
        bounds = [
            (part.account.account_id, part.start, _FAR if part.open_ended else part.end)
            for part in timed
        ]
        spec = endpoint.shape.spec
        left = self._landing.count_by_account(spec, batch_id)
        counts = self._landing.count_within(spec, batch_id, bounds) if left else [0] * len(timed)
        for part, landed in zip(timed, counts, strict=True):
            if part.tally:
                self.note(endpoint.name, part, part.tally, landed)
                left[part.account.account_id] = left.get(part.account.account_id, 0) - landed
        for part in parts:
            if part.ids and part.tally:
                self.note(
                    endpoint.name, part, part.tally, max(0, left.get(part.account.account_id, 0))
                )
        for child in endpoint.children:
            if child.path:
                table = child.shape.table
                by_account = self._landing.count_by_account(child.shape.spec, batch_id)
                for part in parts:
                    # A child says nothing of its parent's slice: the first slice counts them all.
                    landed = by_account.pop(part.account.account_id, 0)
                    self.note(table, part, part.children[table], landed)


def _joined(parts: Iterable[Slice]) -> list[Slice]:
    """Slices with all objects of an account that were read one by one as a single slice."""
    kept: list[Slice] = []
    singles: dict[Account, Slice] = {}
    for part in parts:
        first = singles.setdefault(part.account, part) if part.ids else part
        if first is part:
            kept.append(part)
            continue
        for tally, other in zip(
            (first.tally, *first.children.values()),
            (part.tally, *part.children.values()),
            strict=True,
        ):
            if tally and other:
                tally.join(other)
    return kept
