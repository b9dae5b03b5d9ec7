"""Folding: many small batches of a table become one file beside them, so that reading stays quick.

Belongs here: which batches and which folds are joined, the proof that the joined rows are the rows
that were landed, and the removal of folds that are of no use. Does not belong here: which fold is
believed (`ingest.folds`), or when one folds (a run does, before it pins).

A fold is written to a temporary name, its batches' digests are made again from it and compared, and
it is renamed; its manifest comes last and is the commit. Nothing that was landed is touched.

Folds grow as they are merged: a table's small batches become a fold once there are `LEAST` of them,
and `MERGED` folds of about one size become one, so that each row is written again a few times in
all, and files to open grow with the logarithm of the batches. What is large enough stays as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from ingest import parquet
from ingest.files import private_folder, publish, publish_bytes, remove, removing
from ingest.folds import FOLDER, Fold, Folds, Member, fold_bytes, member_of
from ingest.manifests import MANIFEST
from ingest.tables import PINNED_BATCHES

__all__ = ["LEAST", "MERGED", "Folded", "fold_landing"]

LEAST: Final = 64
MERGED: Final = 8
# A fold holds no more, its manifest counted in; one of a `MERGED`-th of it is merged no further.
MAX_ROWS: Final = 500_000
MAX_BYTES: Final = 64 << 20
MAX_MEMBERS: Final = 32_768
# What one run folds at most, over all tables: some seconds of a run that has much to catch up on.
ROWS_A_RUN: Final = 500_000
FILES_A_RUN: Final = 4_000
KEPT_SUPERSEDED: Final = timedelta(days=1)
_EMPTY: Final = hashlib.sha256().hexdigest()


@dataclass
class Folded:
    """What one call did.

    Attributes:
        batches: Batches put into new folds, those of merged folds included.
        folds: New folds.
        removed: Folds removed: void, or superseded for a day.
        refused: `<source>/<table>/<batch_id>` of batches whose rows are not those committed.
    """

    batches: int = 0
    folds: int = 0
    removed: int = 0
    refused: list[str] = field(default_factory=list)


def fold_landing(home: Path, *, now: datetime, least: int = LEAST, merged: int = MERGED) -> Folded:
    """Folds what there is to fold in a home, as much as one run may.

    Args:
        home: `TIEOUT_HOME`, whose landing exists.
        now: Current time, UTC-aware.
        least: Small batches of a table that are folded once there are so many.
        merged: Folds of about one size that are merged once there are so many.

    Returns:
        What was done; nothing when another process is at it.

    Raises:
        LandingError: A batch cannot be read, or the disk is full; what was folded before stays.
    """
    state = home / "state"
    with (state / "folding.lock").open("ab") as own, (state / "landing.lock").open("ab") as landing:
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Folded()
        # As a writer does: the sweep of a dead one's remains waits.
        fcntl.flock(landing, fcntl.LOCK_SH)
        work = _Work(home, now, least, merged)
        try:
            for source, table in work.folds.tables():
                if (source, table) != (PINNED_BATCHES.source, PINNED_BATCHES.table):
                    work.fold_table(source, table)
        finally:
            work.close()
        return work.done


class _Work:
    """One call's way through the tables."""

    def __init__(self, home: Path, now: datetime, least: int, merged: int) -> None:
        self.folds = Folds(home)
        self.done = Folded()
        self._spill = home / "state" / f"duckdb.{os.getpid()}.fold.tmp"
        self._home = home
        self._now = now
        self._least = least
        self._merged = merged
        self._rows_left = ROWS_A_RUN
        self._files_left = FILES_A_RUN
        self._open: parquet.Database | None = None

    def fold_table(self, source: str, table: str) -> None:
        """Tidies the folds of a table, folds its loose batches, and merges folds of one size."""
        self._tidy(source, table)
        folder = self._home / "landing" / source / table
        loose = self.folds.of(source, table).loose
        if len(loose) >= self._least:
            small = sorted(islice(self._small(folder, loose), self._files_left), key=_receipt)
            if len(small) >= self._least:
                group = self._affordable(_agreeing(small))
                wrong = self._make(source, table, group, _files(folder, group))
                if wrong:
                    self.done.refused += [f"{source}/{table}/{name}" for name in sorted(wrong)]
                    group = [m for m in group if m.manifest.batch_id not in wrong]
                    self._make(source, table, group, _files(folder, group))
        for folds in self._mergeable(source, table):
            group = sorted((m for fold in folds for m in fold.members), key=_receipt)
            if self._make(source, table, group, [fold.path for fold in folds]):
                # A fold that is not what it was committed as is believed no longer.
                self._remove(folds)

    def _tidy(self, source: str, table: str) -> None:
        holding = self.folds.of(source, table, afresh=True)
        unused = list(holding.void)
        for fold in holding.superseded:
            made = [f.made_at for f in holding.folds if not f.batch_ids.isdisjoint(fold.batch_ids)]
            # Somebody who chose its files before it was superseded may still be reading them.
            if max(made) <= self._now - KEPT_SUPERSEDED:
                unused.append(fold)
        self._remove(unused)

    def _remove(self, unused: Sequence[Fold | Path]) -> None:
        for fold in unused:
            remove(fold.manifest_path if isinstance(fold, Fold) else fold)
            if isinstance(fold, Fold):
                remove(fold.path)
            self.done.removed += 1

    def _small(self, folder: Path, batch_ids: Sequence[str]) -> Iterator[Member]:
        """The small ones among batches, by their ids, which sort by time."""
        for batch_id in batch_ids:
            # What was removed since it was listed is no longer there to be folded.
            with contextlib.suppress(FileNotFoundError):
                member = member_of(folder / f"{batch_id}{MANIFEST}")
                size = member.manifest.parquet_bytes + member.file_bytes
                if member.manifest.rows <= MAX_ROWS // LEAST and size <= MAX_BYTES // LEAST:
                    yield member

    def _affordable(self, members: Sequence[Member]) -> list[Member]:
        """The oldest of the members that one fold may hold and this run may still fold."""
        rows, size, group = min(MAX_ROWS, self._rows_left), MAX_BYTES, []
        for member in members[: min(MAX_MEMBERS, self._files_left)]:
            rows -= member.manifest.rows
            size -= member.manifest.parquet_bytes + member.file_bytes
            if rows < 0 or size < 0:
                break
            group.append(member)
        return group

    def _mergeable(self, source: str, table: str) -> Iterator[Sequence[Fold]]:
        """Folds of about one size, as many as are merged at a time; the smallest first."""
        tier = 0
        while self._least * self._merged**tier <= MAX_MEMBERS:
            below = self._least * self._merged ** (tier + 1)
            alike = [
                fold
                for fold in self.folds.of(source, table).folds
                if below // self._merged <= max(len(fold.members), self._least) < below
                and fold.rows <= MAX_ROWS // self._merged
                and fold.weight <= MAX_BYTES // self._merged
                and len(fold.members) <= MAX_MEMBERS // self._merged
            ]
            alike.sort(key=lambda fold: _receipt(fold.members[0]))
            if len(alike) >= self._merged:
                yield alike[: self._merged]
            tier += 1

    def _make(
        self, source: str, table: str, group: Sequence[Member], paths: Sequence[Path]
    ) -> set[str]:
        """Makes one fold, unless it is more than this run may do.

        Returns:
            Ids of batches that stood in its way, because their rows are not those committed.
        """
        rows = sum(member.manifest.rows for member in group)
        if len(group) < 2 or rows > self._rows_left or len(paths) > self._files_left:
            return set()
        self._rows_left -= rows
        self._files_left -= len(paths)
        folder = self._home / FOLDER / source / table
        for path in (folder.parent.parent, folder.parent, folder):
            private_folder(path)
        names = "".join(member.file_sha256 for member in group)
        path = folder / f"{hashlib.sha256(names.encode()).hexdigest()[:16]}.parquet"
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with removing(temporary):
            parquet.join_parquet(self._database(), paths, temporary)
            wrong = self._differing(group, temporary)
            if not wrong:
                fold = Fold(path, temporary.stat().st_size, self._now, tuple(group))
                publish(temporary, path)
                publish_bytes(fold_bytes(fold), fold.manifest_path)
                self.done.folds += 1
                self.done.batches += len(group)
        return wrong

    def _differing(self, group: Sequence[Member], path: Path) -> set[str]:
        """Ids of batches whose rows in a file are not, to the last value, those committed."""
        shapes = {m.manifest.batch_id: m.manifest.columns for m in group}
        found = parquet.digests_of(self._database(), path, shapes)
        wrong = found.keys() - shapes.keys()
        for manifest in (member.manifest for member in group):
            empty = (_EMPTY, 0, manifest.received_at)
            wanted = (manifest.ndjson_sha256, manifest.rows, manifest.received_at)
            if found.get(manifest.batch_id, empty) != wanted:
                wrong.add(manifest.batch_id)
        return wrong

    def _database(self) -> parquet.Database:
        if self._open is None:
            self._open = parquet.open_database(self._spill)
        return self._open

    def close(self) -> None:
        """Closes the database and removes what it spilled."""
        if self._open is not None:
            self._open.close()
        remove(self._spill)


def _files(folder: Path, group: Sequence[Member]) -> list[Path]:
    return [folder / f"{member.manifest.batch_id}.parquet" for member in group]


def _agreeing(members: Sequence[Member]) -> list[Member]:
    """Members whose columns have the types they have in the oldest one that has them."""
    types: dict[str, str] = {}
    found = []
    for member in members:
        own = {column.name: column.type for column in member.manifest.columns}
        if all(types.get(name, type_) == type_ for name, type_ in own.items()):
            types |= own
            found.append(member)
    return found


def _receipt(member: Member) -> tuple[datetime, str]:
    return member.manifest.received_at, member.manifest.batch_id
