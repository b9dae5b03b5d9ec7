"""Export folders and their lines, read in bounded pieces, from a disk or any fsspec address.

Belongs here: which folders are tenants, which files hold which type, and cutting a file into lines
while its digest is taken. Does not belong here: what a line says, or what is landed.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Protocol

import fsspec

from ingest.errors import SourceUnavailable
from ingest.kernel.artifacts import EXPORTED
from ingest.kernel.verify import MANIFEST_NAME

__all__ = ["ExportFile", "ExportRoot", "LineReader", "TenantFolder"]

TENANT_ID: Final = re.compile(r"[A-Za-z0-9:_-]{1,200}")
# What belongs to no tenant is shown under this one; nobody may export in its name.
RESERVED_TENANTS: Final = frozenset({"_platform"})
MAX_TENANTS: Final = 10_000
MAX_FILES: Final = 100_000
MAX_FILE_BYTES: Final = 64 << 30
_CHUNK_BYTES: Final = 1 << 20
_GZIP_SUFFIX: Final = ".gz"
_SUFFIXES: Final = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_GZIP_FORMAT: Final = 31
# Canonical JSON of one type packs to a twentieth or so; beyond this it is no export.
_MAX_UNPACK_RATIO: Final = 200
_UNPACK_ALLOWANCE_BYTES: Final = 64 << 20


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class ExportFile:
    """One file of an export.

    Attributes:
        artifact_type: What its lines are.
        name: Its path inside the tenant's folder.
        path: Where it lies.
        size: Its bytes, 0 where the address does not say.
    """

    artifact_type: str
    name: str
    path: str
    size: int = 0

    @property
    def gzipped(self) -> bool:
        """Whether it has to be unpacked."""
        return self.name.endswith(_GZIP_SUFFIX)


@dataclass(frozen=True)
class TenantFolder:
    """One tenant's folder.

    Attributes:
        files: Files of known types, by name.
        manifest: Where the manifest lies, or None.
        unknown: Paths inside the folder that are no known type.
    """

    tenant_id: str
    files: tuple[ExportFile, ...]
    manifest: str | None
    unknown: tuple[str, ...]


class ExportRoot:
    """The folder that holds one folder a tenant.

    Args:
        root: A path, or an address that fsspec understands; never repeated whole in a message,
            because an address may carry a password.
    """

    def __init__(self, root: str) -> None:
        try:
            self._fs, self._root = fsspec.url_to_fs(root)
        except (ImportError, ValueError, OSError) as error:
            raise _unavailable(
                f"an address that cannot be opened ({type(error).__name__})",
                "Correct TIEOUT_KERNEL_EXPORTS; for a remote address install its fsspec package",
            ) from None

    def tenants(
        self, only: Collection[str] | None
    ) -> tuple[list[TenantFolder], list[tuple[str, str]]]:
        """The tenants' folders, and the names at the top that are none, each with the reason.

        Args:
            only: Tenants wanted, or None for all.

        Raises:
            SourceUnavailable: There is no such folder, or it holds nothing for these tenants.
        """
        found: list[TenantFolder] = []
        strangers: list[tuple[str, str]] = []
        for entry in self._entries(self._root, MAX_TENANTS):
            name = _name(entry)
            if entry["type"] != "directory" or not TENANT_ID.fullmatch(name):
                strangers.append((name, "unknown_type"))
            elif name in RESERVED_TENANTS:
                strangers.append((name, "tenant_reserved"))
            elif only is None or name in only:
                found.append(self._tenant(name))
        absent = sorted(set(only or ()) - {folder.tenant_id for folder in found})
        if absent or not any(folder.files for folder in found):
            wanted = f"tenant {absent[0][:200]}" if absent else "any tenant"
            raise _unavailable(
                f"no export of {wanted} in the folder {PurePosixPath(self._root).name!r}",
                "Let the exporter write <tenant_id>/<type>.jsonl there, or correct "
                "TIEOUT_KERNEL_EXPORTS",
            )
        return found, strangers

    def holds(self, tenant_id: str) -> bool:
        """Whether there is a folder of this tenant.

        Raises:
            SourceUnavailable: There is no such root.
        """
        return any(_name(entry) == tenant_id for entry in self._entries(self._root, MAX_TENANTS))

    def open(self, path: str) -> Any:
        """A stream of bytes; the caller closes it."""
        return self._fs.open(path, "rb")

    def _tenant(self, tenant_id: str) -> TenantFolder:
        files: list[ExportFile] = []
        unknown: list[str] = []
        manifest: str | None = None
        for entry in self._entries(f"{self._root}/{tenant_id}", MAX_FILES):
            name = _name(entry)
            if entry["type"] == "directory":
                inner = self._entries(str(entry["name"]), MAX_FILES)
                paths = {f"{name}/{_name(file)}": file for file in inner}
            else:
                paths = {name: entry}
            for inside, file in sorted(paths.items()):
                artifact_type = _type_of(inside) if file["type"] == "file" else None
                if inside == MANIFEST_NAME:
                    manifest = str(file["name"])
                elif artifact_type is None:
                    unknown.append(inside)
                else:
                    size = file.get("size") or 0
                    files.append(ExportFile(artifact_type, inside, str(file["name"]), int(size)))
        return TenantFolder(tenant_id, tuple(files), manifest, tuple(unknown))

    def _entries(self, path: str, limit: int) -> list[dict[str, Any]]:
        try:
            found = self._fs.ls(path, detail=True)
        except (OSError, ValueError) as error:
            raise _unavailable(
                f"{type(error).__name__} for the folder {PurePosixPath(path).name!r}",
                "Check that the folder of TIEOUT_KERNEL_EXPORTS exists and may be read",
            ) from None
        # A name with a dot in front is something being written, or not ours.
        entries = [entry for entry in found if not _name(entry).startswith(".")]
        if len(entries) > limit:
            raise _unavailable(
                f"{len(entries)} entries in the folder {PurePosixPath(path).name!r}",
                f"Keep at most {limit} entries in one folder",
            )
        return sorted(entries, key=_name)


class LineReader:
    """Cuts a stream into lines, taking the digest of all its bytes on the way.

    Args:
        stream: The file's bytes.
        line_limit: Longest line kept.
        gzipped: Whether they are packed; the digest is of the packed bytes.

    Attributes:
        rows: Lines that are not blank, once read.
        sha256: Hex digest of the whole file, once read to the end.
        fault: Why the file was left unfinished, or None: `file_too_long`, `file_bomb` (it unpacks
            to far more than an export), `file_gzip_invalid`.
    """

    def __init__(self, stream: _Stream, line_limit: int, *, gzipped: bool = False) -> None:
        self._stream = stream
        self._limit = line_limit
        self._gzipped = gzipped
        self._digest = hashlib.sha256()
        self.rows = 0
        self.fault: str | None = None

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes read so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        """Line numbers from 1 with the line, or with None for one that is too long."""
        for number, piece in enumerate(self._lines(), start=1):
            if piece is None or piece.strip():
                self.rows += 1
                yield number, piece

    def _lines(self) -> Iterator[bytes | None]:
        rest = b""
        overflowing = False
        total = 0
        for chunk in self._unpacked() if self._gzipped else self._chunks():
            total += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield None if overflowing or len(line) > self._limit else line
                overflowing = False
            if len(rest) > self._limit:
                # Nothing of an endless line is kept but that it is one.
                overflowing, rest = True, b""
            if total > MAX_FILE_BYTES:
                self.fault = "file_too_long"
                return
        if overflowing or rest:
            yield None if overflowing else rest

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self._stream.read(_CHUNK_BYTES):
            self._digest.update(chunk)
            yield chunk

    def _unpacked(self) -> Iterator[bytes]:
        """The text of a gzip file, of one member or several, never more than a chunk at once."""
        unpacker = zlib.decompressobj(_GZIP_FORMAT)
        packed = unpacked = 0
        for chunk in self._chunks():
            packed += len(chunk)
            data = chunk
            while data:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(_GZIP_FORMAT)
                try:
                    text = unpacker.decompress(data, _CHUNK_BYTES)
                except zlib.error:
                    self.fault = "file_gzip_invalid"
                    return
                unpacked += len(text)
                if unpacked > _UNPACK_ALLOWANCE_BYTES + _MAX_UNPACK_RATIO * packed:
                    self.fault = "file_bomb"
                    return
                yield text
                data = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        if not unpacker.eof:
            self.fault = "file_gzip_invalid"


def _type_of(name: str) -> str | None:
    """The artifact type of `<type>.jsonl` or `<type>/<anything>.jsonl`."""
    if not name.endswith(_SUFFIXES):
        return None
    first, _, rest = name.partition("/")
    artifact_type = first if rest else first.partition(".")[0]
    return artifact_type if artifact_type in EXPORTED else None


def _name(entry: dict[str, Any]) -> str:
    return PurePosixPath(str(entry["name"])).name


def _unavailable(got: str, remedy: str) -> SourceUnavailable:
    return SourceUnavailable(
        got=got,
        expected="a folder of kernel exports, one folder a tenant, one artifact a line",
        remedy=remedy,
        code="kernel_exports_unavailable",
    )
