"""Landing: write-once batches on disk, each visible only once its manifest is.

Belongs here: where a batch lies, in which order its files appear, and which batches a run may see.
Does not belong here: what a source is or how its rows are made, the encoding of rows
(`ingest.spool`), what a killed writer leaves behind (`ingest.sweeping`), reading for models (dbt
does that through the pinned batches).

    landing/<source>/<table>/<batch_id>.parquet + <batch_id>.manifest.json, schema.parquet
    quarantine/<source>/<table>/<batch_id>.jsonl

Rows are read from folds where they stand for batches (`ingest.folds`).

A batch is written to temporary names, synced and renamed; the manifest comes last and is the
commit. Writers share a lock that only the sweep of a dead writer's remains and an erasure take
alone, so pulls never wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

import orjson

from ingest import parquet, spool
from ingest.errors import LandingError
from ingest.files import private_folder, publish, publish_bytes, remove, removing
from ingest.folds import Folds
from ingest.manifests import (
    MANIFEST,
    SCHEMA_FILE,
    check_file,
    damaged,
    manifest_bytes,
    read_manifest,
)
from ingest.rewriting import require_unerased, rewrite_batch
from ingest.sweeping import clear_remains
from ingest.tables import (
    BIGINT,
    BOOLEAN,
    LINEAGE,
    PINNED_BATCHES,
    QUARANTINE,
    TIEOUT_TABLES,
    TIMESTAMP,
    VARCHAR,
    BatchManifest,
    Column,
    Erased,
    Quarantined,
    TableSpec,
)

__all__ = [
    "BIGINT",
    "BOOLEAN",
    "LINEAGE",
    "PINNED_BATCHES",
    "QUARANTINE",
    "TIEOUT_TABLES",
    "TIMESTAMP",
    "VARCHAR",
    "BatchManifest",
    "Column",
    "Landing",
    "Quarantined",
    "TableSpec",
    "new_batch_id",
]

# Pins of runs that may still be at work or be repeated; a run that is older pins the same again.
KEPT_PINS: Final = 200
_BATCH_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def new_batch_id(received_at: datetime, pull_id: str) -> str:
    """`20261122T232458Z-<pull_id>`: sorts by time; one id serves all tables of a pull."""
    return f"{received_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{pull_id}"


class Landing:
    """The landed batches of one home.

    Args:
        home: `TIEOUT_HOME`; created with mode 0700 when absent.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._root = home / "landing"
        self._quarantine = home / "quarantine"
        self._lock = home / "state" / "landing.lock"
        self._shaped: set[TableSpec] = set()
        self._folds = Folds(home)
        for folder in (home, self._root, self._quarantine, self._lock.parent):
            private_folder(folder)
        self._sweep()

    def ensure_schema(self, specs: Iterable[TableSpec]) -> None:
        """Gives each table a typed file of zero rows, so that reading it always finds columns."""
        for spec in specs:
            if spec not in self._shaped:
                self._ensure_one(spec)
                self._shaped.add(spec)

    def write(
        self,
        spec: TableSpec,
        rows: Iterable[Mapping[str, object]] | spool.CanonicalLines,
        *,
        batch_id: str,
        received_at: datetime,
        request: Mapping[str, object] | None = None,
        quarantined: Sequence[Quarantined] = (),
    ) -> BatchManifest | None:
        """Lands one batch of one table.

        Args:
            spec: The table.
            rows: Row mappings; read once, never held in memory as a whole. Values are int, str,
                bool, aware datetime or None; an absent column is null. Or lines in canonical form.
            batch_id: From `new_batch_id`; a (table, batch_id) is written once.
            received_at: When the rows were received, UTC-aware.
            request: What was asked of the source, without secrets.
            quarantined: Inputs refused while the rows were made. The sequence is read after `rows`
                is exhausted, so a generator may still append to it.

        Returns:
            The manifest, or None when nothing is new and nothing was refused.

        Raises:
            LandingError: A row does not fit the table, or the batch is already landed.
        """
        self._check_id(spec, batch_id)
        self.ensure_schema([spec])
        with self.in_use():
            return self._write(spec, rows, batch_id, received_at, request, quarantined)

    def committed(self, source: str | None = None) -> list[BatchManifest]:
        """Committed batches, oldest first, of one source or of all."""
        found = []
        for of, table in self._folds.tables(source):
            folded, loose = self._folds.manifests(of, table)
            found += [*folded, *loose]
        return sorted(found, key=_receipt)

    def readable(self, spec: TableSpec) -> list[Path]:
        """Files that together hold each committed row of a table once, and its columns."""
        self.ensure_schema([spec])
        holding, folder = self._folds.of(spec.source, spec.table), self._folder(spec)
        loose = [folder / f"{batch_id}.parquet" for batch_id in holding.loose]
        return [*(fold.path for fold in holding.folds), *loose, folder / SCHEMA_FILE]

    def rows(self, spec: TableSpec, names: Sequence[str]) -> list[tuple[object, ...]]:
        """Columns of every committed row of a table, oldest receipt first; times are UTC-aware.
        For small tables: dbt reads the large ones."""
        return parquet.read_columns(self._database, self.readable(spec), names)

    def distinct(self, spec: TableSpec, names: Sequence[str]) -> set[tuple[object, ...]]:
        """The different values that columns have in the committed rows of a table."""
        return set(parquet.read_columns(self._database, self.readable(spec), names, distinct=True))

    def query(self, sql: str, **tables: TableSpec) -> list[tuple[object, ...]]:
        """Rows of a SELECT over committed rows; each table stands under the name given to it."""
        paths = {name: self.readable(spec) for name, spec in tables.items()}
        return parquet.run_query(self._database, sql, paths)

    def count_by_account(self, spec: TableSpec, batch_id: str) -> dict[str, int]:
        """Rows of one batch by account_id; empty when the batch does not exist."""
        path = self._folder(spec) / f"{batch_id}.parquet"
        return (
            parquet.counts_by(self._database, path, "account_id")
            if self._manifest_path(spec, batch_id).exists()
            else {}
        )

    def count_within(
        self, spec: TableSpec, batch_id: str, slices: Sequence[tuple[str, datetime, datetime]]
    ) -> list[int]:
        """Rows of one committed batch by (account_id, [created from, created to))."""
        path = self._folder(spec) / f"{batch_id}.parquet"
        return (
            parquet.counts_within(self._database, path, slices)
            if self._manifest_path(spec, batch_id).exists()
            else [0] * len(slices)
        )

    def pin(self, *, run_id: str, known_at: datetime) -> int:
        """Lists what a run may see: committed batches received at or before `known_at`.

        Pinning a run at the same time again keeps its first list, so a repeated step sees the same
        data. Pinning it at a later time adds to its list. A build reads the pins of its own run
        alone, whose file names end in `-pin-<run_id>`; all but the newest are removed.

        Returns:
            How many batches are pinned.

        Raises:
            LandingError: A committed file is missing or has another size than its manifest says, or
                rows that the run could see then were erased since (`erased_since`).
        """
        batch_id = new_batch_id(known_at, f"{known_at.microsecond:06d}-pin-{run_id}")
        earlier = self._manifest_path(PINNED_BATCHES, batch_id)
        if earlier.exists():
            self.require_unerased(known_at)
            return read_manifest(earlier).rows
        visible = []
        for source, table in self._folds.tables():
            if (source, table) == (PINNED_BATCHES.source, PINNED_BATCHES.table):
                continue
            # A fold is believed only while its batches have their sizes.
            folded, loose = self._folds.manifests(source, table, afresh=True)
            for manifest in loose:
                if manifest.received_at <= known_at:
                    check_file(self.home, manifest)
            visible += [m for m in (*folded, *loose) if m.received_at <= known_at]
        require_unerased(visible, known_at)
        visible.sort(key=_receipt)
        pins = (
            {"run_id": run_id, "source": m.source, "table_name": m.table, "batch_id": m.batch_id}
            for m in visible
        )
        self.write(PINNED_BATCHES, pins, batch_id=batch_id, received_at=known_at)
        self._forget_old_pins()
        return len(visible)

    def _forget_old_pins(self) -> None:
        """Removes all but the newest pins; by when they were made, since a run may look back."""
        made = []
        for path in self._folder(PINNED_BATCHES).glob(f"*{MANIFEST}"):
            # Another process may be removing it too.
            with contextlib.suppress(FileNotFoundError):
                made.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(made)[:-KEPT_PINS]:
            # The commit goes first; what a killed removal leaves the next start sweeps.
            remove(path)
            remove(path.with_name(f"{path.name.removesuffix(MANIFEST)}.parquet"))

    def verify(self, manifest: BatchManifest) -> None:
        """Re-makes the digest of a batch from its Parquet rows and compares it.

        Raises:
            LandingError: The rows on disk are not the rows that were committed.
        """
        path = check_file(self.home, manifest)
        try:
            digest = parquet.ndjson_sha256(self._database, manifest.columns, path)
        except LandingError:
            digest = "unreadable"
        if digest != manifest.ndjson_sha256:
            raise damaged(path, f"digest {digest}", f"digest {manifest.ndjson_sha256}")

    def erase(
        self, manifest: BatchManifest, condition: str, erased: Callable[[BatchManifest], Erased]
    ) -> BatchManifest:
        """Takes rows out of one batch, inside `alone`; see `ingest.rewriting`."""
        folder = self._root / manifest.source / manifest.table
        return rewrite_batch(self._database, folder, manifest, condition, erased)

    def require_unerased(self, known_at: datetime) -> None:
        """Refuses a question of a time before rows were erased; see `pin`, which asks it too."""
        require_unerased(self.committed(), known_at)

    def erased_at(self) -> datetime | None:
        """When rows were last taken out; None when none ever were."""
        times = (record.at for batch in self.committed() for record in batch.erased)
        return max(times, default=None)

    def manifest(self, spec: TableSpec, batch_id: str) -> BatchManifest:
        """The manifest of one committed batch."""
        return read_manifest(self._manifest_path(spec, batch_id))

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Whoever writes or needs landed rows to stay; any number at once."""
        with self._lock.open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Whoever changes what is landed; nothing may be written through this landing meanwhile.

        Raises:
            LandingError: A pull, a run or a question is using the landing.
        """
        with self._lock.open("ab") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LandingError(
                    got="a landing that is being written or read",
                    expected="no pull and no run while landed rows are taken out",
                    remedy="Let the run end, or stop it, and ask again; nothing was changed",
                    code="landing_in_use",
                ) from None
            clear_remains(self.home)
            yield

    # --- one batch --------------------------------------------------------------------------------

    def _write(
        self,
        spec: TableSpec,
        rows: Iterable[Mapping[str, object]] | spool.CanonicalLines,
        batch_id: str,
        received_at: datetime,
        request: Mapping[str, object] | None,
        quarantined: Sequence[Quarantined],
    ) -> BatchManifest | None:
        folder = self._folder(spec)
        stem = f"{batch_id}.{os.getpid()}"
        whole, changed, packed = (
            folder / f"{stem}.{part}.tmp" for part in ("whole", "changed", "packed")
        )
        with removing(whole, changed, packed):
            spooled = spool.spool_rows(spec, rows, whole)
            kept = spooled
            if spooled.rows and not spec.append_only:
                kept = parquet.drop_unchanged(
                    self._database, spec, spooled, self.readable(spec), changed
                )
            # What was refused before and is refused again is on the list already.
            listed = bool(quarantined) and self._write_quarantine(
                spec, batch_id, received_at, quarantined
            )
            if not kept.rows and not listed:
                return None
            parquet.copy_to_parquet(
                self._database, spec, kept, packed, batch_id=batch_id, received_at=received_at
            )
            manifest = BatchManifest(
                source=spec.source,
                table=spec.table,
                batch_id=batch_id,
                received_at=received_at.astimezone(UTC),
                rows=kept.rows,
                unchanged=spooled.rows - kept.rows,
                quarantined=len(quarantined),
                ndjson_sha256=kept.sha256,
                parquet_bytes=packed.stat().st_size,
                request=request,
                columns=spec.columns,
            )
            publish(packed, folder / f"{batch_id}.parquet")
            publish_bytes(manifest_bytes(manifest), self._manifest_path(spec, batch_id))
        return manifest

    def _write_quarantine(
        self,
        spec: TableSpec,
        batch_id: str,
        received_at: datetime,
        quarantined: Sequence[Quarantined],
    ) -> bool:
        """The refusals of a batch, as rows to query and as a file to read, before its commit.

        Returns:
            Whether any of them was not listed yet.
        """
        own_id = f"{batch_id}.{spec.source}.{spec.table}"
        if not self._manifest_path(QUARANTINE, own_id).exists():
            self.ensure_schema([QUARANTINE])
            rows = (
                {"source": spec.source, "table_name": spec.table, **asdict(entry)}
                for entry in quarantined
            )
            if self._write(QUARANTINE, rows, own_id, received_at, None, ()) is None:
                return False
        lines = b"".join(orjson.dumps(asdict(entry)) + b"\n" for entry in quarantined)
        folder = self._quarantine / spec.source / spec.table
        private_folder(folder)
        publish_bytes(lines, folder / f"{batch_id}.jsonl")
        return True

    def _ensure_one(self, spec: TableSpec) -> None:
        folder = self._folder(spec)
        private_folder(folder)
        path = folder / SCHEMA_FILE
        wanted = [(column.name, column.type) for column in (*spec.columns, *spec.lineage)]
        if path.exists() and parquet.column_types(self._database, path) == wanted:
            return
        with self.in_use():
            temporary = folder / f"{SCHEMA_FILE}.{os.getpid()}.tmp"
            with removing(temporary):
                parquet.copy_to_parquet(
                    self._database,
                    spec,
                    None,
                    temporary,
                    batch_id="schema",
                    received_at=datetime.now(UTC),
                )
                publish(temporary, path)

    @cached_property
    def _database(self) -> parquet.Database:
        return parquet.open_database(self._lock.parent / f"duckdb.{os.getpid()}.tmp")

    # --- names and checks -------------------------------------------------------------------------

    def _folder(self, spec: TableSpec) -> Path:
        return self._root / spec.source / spec.table

    def _manifest_path(self, spec: TableSpec, batch_id: str) -> Path:
        return self._folder(spec) / f"{batch_id}{MANIFEST}"

    def _check_id(self, spec: TableSpec, batch_id: str) -> None:
        if not _BATCH_ID.fullmatch(batch_id) or batch_id == "schema":
            raise LandingError(
                got=f"batch id {batch_id!r}",
                expected="letters, digits, dots, dashes and underscores",
                remedy="Make the id with new_batch_id",
                code="landing_batch_id_invalid",
            )
        if self._manifest_path(spec, batch_id).exists():
            raise LandingError(
                got=f"a second batch {batch_id} for {spec.name}",
                expected="each batch to be written once",
                remedy="Start a new pull, which has an id of its own",
                code="landing_batch_exists",
            )

    def _sweep(self) -> None:
        """Clears up after the dead; while anybody is at work this waits for a later start."""
        with self._lock.open("ab") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            clear_remains(self.home)


def _receipt(manifest: BatchManifest) -> tuple[datetime, str, str, str]:
    return manifest.received_at, manifest.batch_id, manifest.source, manifest.table
