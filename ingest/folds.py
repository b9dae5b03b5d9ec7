"""Folds: one file that holds the rows of many small batches, and which of them may be believed.

Belongs here: the manifest of a fold, whether a fold still says what its batches say, and which
files hold a table's rows: the believed folds, and each batch that none of them holds. Does not
belong here: making or removing a fold (`ingest.folding`), or reading rows.

    folds/<source>/<table>/<name>.parquet + <name>.fold.json

A fold is an accelerator. The batches it holds and their manifests stay as they were landed, so the
whole folder may be deleted at any time. A fold holds the manifests of its batches, and counts as
nothing once one of them is gone, was changed, or has a file of another size: whoever removes or
rewrites a batch need not know of folds, only delete the copies in them (`remove_folds`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson

from ingest.errors import LandingError
from ingest.files import remove
from ingest.manifests import MANIFEST, SCHEMA_FILE, check_file, manifest_of, read_manifest
from ingest.parquet import sql_path
from ingest.tables import PINNED_BATCHES, BatchManifest, Column

__all__ = [
    "FOLD",
    "FOLDER",
    "Census",
    "Fold",
    "Folds",
    "Holding",
    "Member",
    "census",
    "fold_bytes",
    "member_of",
    "readable_files",
    "remove_folds",
]

FOLD: Final = ".fold.json"
FOLDER: Final = "folds"
MAX_FOLD_MANIFEST_BYTES: Final = 256 << 20
# A folder's time moves in steps: what changed within one of them may look unchanged.
_SETTLED_NS: Final = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """One batch as a fold holds it: its manifest, and the manifest's file as it was."""

    manifest: BatchManifest
    file_bytes: int
    file_mtime_ns: int
    file_sha256: str


@dataclass(frozen=True)
class Fold:
    """One fold as its manifest describes it.

    Attributes:
        path: Its Parquet file.
        parquet_bytes: Size of that file.
        made_at: When it was committed.
        members: Its batches, in the order of their rows.
    """

    path: Path
    parquet_bytes: int
    made_at: datetime
    members: tuple[Member, ...]

    @cached_property
    def batch_ids(self) -> frozenset[str]:
        return frozenset(member.manifest.batch_id for member in self.members)

    @cached_property
    def rows(self) -> int:
        return sum(member.manifest.rows for member in self.members)

    @cached_property
    def weight(self) -> int:
        """Bytes of the rows, and about those of the fold's manifest."""
        return self.parquet_bytes + sum(member.file_bytes for member in self.members)

    @property
    def manifest_path(self) -> Path:
        return self.path.with_name(f"{self.path.stem}{FOLD}")


@dataclass(frozen=True)
class Holding:
    """Where the rows of one table lie.

    Attributes:
        folds: Believed folds; no batch is in two of them.
        superseded: Folds whose every batch is in one of `folds`.
        void: Folds that are not believed.
        loose: Ids of committed batches that no believed fold holds.
        files: Every Parquet file of the folder that no believed fold holds.
    """

    folds: tuple[Fold, ...]
    superseded: tuple[Fold, ...]
    void: tuple[Fold | Path, ...]
    loose: tuple[str, ...]
    files: tuple[str, ...]


class Folds:
    """The folds of one home, as a reader sees them; it remembers what did not change.

    Args:
        home: `TIEOUT_HOME`.
    """

    def __init__(self, home: Path) -> None:
        self._landing = home / "landing"
        self._root = home / FOLDER
        self._known: dict[tuple[str, str], tuple[tuple[int, int], Holding]] = {}

    def tables(self, source: str | None = None) -> list[tuple[str, str]]:
        """(source, table) of every landed table, of one source or of all."""
        folders = self._landing.glob(f"{source or '*'}/*")
        return sorted((path.parent.name, path.name) for path in folders if path.is_dir())

    def of(self, source: str, table: str, *, afresh: bool = False) -> Holding:
        """Where the rows of a table lie.

        Args:
            source: The source.
            table: The table.
            afresh: Look at every file again, although neither folder changed since.
        """
        folder, folds = self._landing / source / table, self._root / source / table
        seen = (_mtime(folder), _mtime(folds))
        known = self._known.get((source, table))
        if known is not None and known[0] == seen and not afresh:
            return known[1]
        holding = self._look(folder, folds)
        if time.time_ns() - max(seen) > _SETTLED_NS:
            self._known[source, table] = (seen, holding)
        else:
            self._known.pop((source, table), None)
        return holding

    def manifests(
        self, source: str, table: str, *, afresh: bool = False
    ) -> tuple[list[BatchManifest], list[BatchManifest]]:
        """Manifests of a table's committed batches: those in believed folds, and the others."""
        holding = self.of(source, table, afresh=afresh)
        folder = self._landing / source / table
        folded = [member.manifest for fold in holding.folds for member in fold.members]
        return folded, list(_manifests(folder, holding.loose))

    def _look(self, folder: Path, folds: Path) -> Holding:
        names = os.listdir(folder) if folder.is_dir() else []
        found, void = _parsed(folds)
        chosen: list[Fold] = []
        superseded: list[Fold] = []
        held: set[str] = set()
        # The largest first, so that what was merged stands for what it was merged from.
        for fold in sorted(found, key=lambda fold: (-len(fold.members), fold.path.name)):
            if fold.batch_ids <= held:
                superseded.append(fold)
            elif held.isdisjoint(fold.batch_ids) and _is_believed(fold, folder):
                chosen.append(fold)
                held |= fold.batch_ids
            else:
                void.append(fold)
        loose = (name.removesuffix(MANIFEST) for name in names if name.endswith(MANIFEST))
        files = (name for name in names if name.endswith(".parquet"))
        return Holding(
            tuple(chosen),
            tuple(superseded),
            tuple(void),
            tuple(sorted(batch for batch in loose if batch not in held)),
            tuple(sorted(name for name in files if name.removesuffix(".parquet") not in held)),
        )


def readable_files(home: Path, run_id: str) -> Iterator[tuple[str, str]]:
    """(`<source>/<table>`, its files as a list in SQL) of every landed table, for one run's build.

    Of the pins only the run's own; of the rest every file, but folds for the batches they hold.
    """
    folds = Folds(home)
    for source, table in folds.tables():
        holding = folds.of(source, table)
        names: Iterable[str] = holding.files
        if (source, table) == (PINNED_BATCHES.source, PINNED_BATCHES.table):
            names = (n for n in names if n.endswith((f"-pin-{run_id}.parquet", SCHEMA_FILE)))
        paths = [fold.path for fold in holding.folds]
        paths += [home / "landing" / source / table / name for name in names]
        if paths:
            yield f"{source}/{table}", ", ".join(map(sql_path, paths))


@dataclass
class Census:
    """What lies in a landing.

    Attributes:
        batches: Committed batches.
        folds: Believed folds.
        folded: Batches in them.
        void: Folds that are not believed; the next run removes them.
        damaged: What is wrong with each batch whose file is not as large as it was, or is none.
    """

    batches: int = 0
    folds: int = 0
    folded: int = 0
    void: int = 0
    damaged: list[str] = field(default_factory=list)


def census(home: Path) -> Census:
    """Looks at every batch and fold of a home, and changes nothing; digests are not made again."""
    found, folds = Census(), Folds(home)
    for source, table in folds.tables():
        holding = folds.of(source, table)
        folded = sum(len(fold.members) for fold in holding.folds)
        found.folded += folded
        found.batches += folded + len(holding.loose)
        found.folds += len(holding.folds)
        found.void += len(holding.void)
        for batch_id in holding.loose:
            try:
                check_file(
                    home, read_manifest(home / "landing" / source / table / f"{batch_id}{MANIFEST}")
                )
            except LandingError as error:
                found.damaged.append(error.got)
    return found


def remove_folds(home: Path) -> None:
    """Removes every fold of a home; the next runs make them again. For whoever erases rows."""
    folder = home / FOLDER
    if folder.exists():
        # Manifests first, so that no reader believes a fold whose file is gone.
        for path in folder.glob(f"*/*/*{FOLD}"):
            remove(path)
        remove(folder)


def member_of(path: Path) -> Member:
    """A batch by its manifest file, as a fold will hold it.

    Raises:
        LandingError: The file is not a manifest.
    """
    manifest, stat, content = read_manifest(path), path.stat(), path.read_bytes()
    return Member(manifest, len(content), stat.st_mtime_ns, hashlib.sha256(content).hexdigest())


def fold_bytes(fold: Fold) -> bytes:
    """The manifest of a fold as one line of JSON; columns stand once for all batches alike."""
    shapes: dict[tuple[Column, ...], int] = {}
    members = []
    for member in fold.members:
        entry = {**vars(member.manifest)}
        shape = shapes.setdefault(entry.pop("columns"), len(shapes))
        del entry["source"], entry["table"]
        file = [member.file_bytes, member.file_mtime_ns, member.file_sha256]
        members.append({**entry, "shape": shape, "file": file})
    content = {
        "made_at": fold.made_at,
        "parquet_bytes": fold.parquet_bytes,
        "source": fold.path.parent.parent.name,
        "table": fold.path.parent.name,
        "shapes": [[asdict(column) for column in shape] for shape in shapes],
        "members": members,
    }
    return orjson.dumps(content, option=orjson.OPT_UTC_Z) + b"\n"


# Folds as parsed, by folder and manifest, with the time and size of the manifest: a run looks at
# them from several places, and a large one takes a while to parse.
_known_folds: Final[dict[Path, dict[Path, tuple[tuple[int, int], Fold]]]] = {}


def _parsed(folder: Path) -> tuple[list[Fold], list[Fold | Path]]:
    """The folds of a table, and the manifests that are none."""
    before = _known_folds.get(folder, {})
    found: dict[Path, tuple[tuple[int, int], Fold]] = {}
    unreadable: list[Fold | Path] = []
    for path in folder.glob(f"*{FOLD}"):
        try:
            stat = path.stat()
            key = (stat.st_mtime_ns, stat.st_size)
            known = before.get(path)
            found[path] = known if known and known[0] == key else (key, _read_fold(path))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, LandingError):
            unreadable.append(path)
    _known_folds[folder] = found
    return [fold for _, fold in found.values()], unreadable


def _read_fold(path: Path) -> Fold:
    with path.open("rb") as handle:
        raw = orjson.loads(handle.read(MAX_FOLD_MANIFEST_BYTES))
    shapes = [tuple(Column(**column) for column in shape) for shape in raw["shapes"]]
    name: dict[str, Any] = {"source": raw["source"], "table": raw["table"]}
    if (raw["source"], raw["table"]) != (path.parent.parent.name, path.parent.name):
        raise ValueError
    return Fold(
        path.with_name(f"{path.name.removesuffix(FOLD)}.parquet"),
        raw["parquet_bytes"],
        datetime.fromisoformat(raw["made_at"]),
        tuple(_member(entry, name, shapes) for entry in raw["members"]),
    )


def _member(
    entry: dict[str, Any], name: dict[str, Any], shapes: Sequence[tuple[Column, ...]]
) -> Member:
    file, columns = entry.pop("file"), shapes[entry.pop("shape")]
    return Member(manifest_of({**name, **entry}, columns), *file)


def _is_believed(fold: Fold, folder: Path) -> bool:
    """Whether a fold is whole and each of its batches is on disk as it was folded.

    Two looks at the disk a batch. A manifest that was only touched, as by a restored backup, is
    read again.
    """
    start = f"{folder}/"
    try:
        if fold.path.stat().st_size != fold.parquet_bytes:
            return False
        for member in fold.members:
            batch = start + member.manifest.batch_id
            if os.stat(f"{batch}.parquet").st_size != member.manifest.parquet_bytes:
                return False
            manifest = os.stat(f"{batch}{MANIFEST}")
            if manifest.st_size != member.file_bytes:
                return False
            if manifest.st_mtime_ns != member.file_mtime_ns:
                content = Path(f"{batch}{MANIFEST}").read_bytes()
                if hashlib.sha256(content).hexdigest() != member.file_sha256:
                    return False
    except FileNotFoundError:
        return False
    return True


def _manifests(folder: Path, batch_ids: Iterable[str]) -> Iterator[BatchManifest]:
    for batch_id in batch_ids:
        try:
            yield read_manifest(folder / f"{batch_id}{MANIFEST}")
        except FileNotFoundError:
            # Another process has removed the batch since it was listed, as it does with old pins.
            continue


def _mtime(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
