"""One pass over one tenant's export: lines to rows that wait, and refusals beside them.

Belongs here: what happens to a line (verified, read into columns, put with its children, or refused
with file, line, code and remedy) and what a file's digest says about the manifest. Does not belong
here: finding files (reading.py), declarations (artifacts.py), committing tables (exports.py).

A bad line never stops its file, a bad file never stops its tenant, and no tenant stops another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ingest.kernel.artifacts import EXPORTED
from ingest.kernel.reading import ExportFile, ExportRoot, LineReader, TenantFolder
from ingest.kernel.rows import EXPORT_MANIFESTS, rows_of
from ingest.kernel.tables import ArtifactType, Place
from ingest.kernel.verify import (
    MAX_MANIFEST_BYTES,
    ArtifactVerifier,
    Manifest,
    TrustedKey,
    file_fault,
    read_manifest,
    refusal_of,
    remedy_for,
    trusted_pems,
)
from ingest.kernel.waiting import WaitingRows
from ingest.tables import Quarantined

__all__ = ["TenantPull", "TenantReader", "TypeCount"]

MAX_LISTED_A_FILE: Final = 1_000
MAX_REMEMBERED: Final = 1_000_000
_PROGRESS_ROWS: Final = 10_000
_FILE_FAULTS: Final = {
    "unknown_type": "neither <type>.jsonl nor in a folder <type>, for any known type",
    "tenant_reserved": "a folder under a name that the warehouse keeps for itself",
    "tenant_empty": "a folder without any file of a known type",
    "file_unreadable": "the file could not be read to its end",
    "file_too_long": "the file is longer than any may be; its rest was not read",
    "file_undeclared": "the file is not in the manifest",
    "file_missing": "the file is in the manifest and not in the folder",
    "file_digest_mismatch": "the file's bytes are not those that the manifest declares",
    "file_rows_mismatch": "the file's lines are not as many as the manifest declares",
}
_UNREAD: Final = frozenset({"file_unreadable", "file_too_long"})


@dataclass
class TypeCount:
    """What came of one type of one tenant.

    Attributes:
        rows_read: Lines, refused and repeated ones among them.
        accepted: Lines that became rows, whether or not they equal what is landed already.
        mismatched: Accepted ones whose hash lies.
        repeated: Lines that repeat an earlier one of the type, word for word.
        refused: Lines that could not be accepted.
        amount_sum_cents: Sum over accepted amounts of all currencies, a control total; None for a
            type without amounts.
        fault: Why a file of the type could not be read to its end, or None.
    """

    rows_read: int = 0
    accepted: int = 0
    mismatched: int = 0
    repeated: int = 0
    refused: int = 0
    amount_sum_cents: int | None = None
    fault: str | None = None


@dataclass
class TenantPull:
    """What came of one tenant's export.

    Attributes:
        manifest: Its manifest, with the status after all files were compared.
        files_ok: Files whose bytes and rows are those that the manifest declares.
        file_faults: Refusals that concern a file as a whole.
        counts: By artifact type.
    """

    tenant_id: str
    manifest: Manifest
    files_ok: int = 0
    file_faults: int = 0
    counts: dict[str, TypeCount] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every line and file was accepted under a trusted manifest."""
        lines = all(not (c.refused or c.mismatched or c.fault) for c in self.counts.values())
        return lines and not self.file_faults and self.manifest.status == "trusted"


class TenantReader:
    """Reads tenants one after the other into rows that wait.

    Attributes:
        refusals: What could not be accepted, by landed table; whole files and folders stand under
            `export_manifests`.
    """

    def __init__(
        self,
        root: ExportRoot,
        verifier: ArtifactVerifier,
        trusted_keys: Mapping[str, bytes | TrustedKey],
        rows: WaitingRows,
        progress: Callable[[str, int], None] | None = None,
    ) -> None:
        self._root = root
        self._verifier = verifier
        self._keys = trusted_keys
        self._rows = rows
        self._progress = progress or (lambda _what, _rows: None)
        self._remembered: dict[bytes, list[bytes]] = {}
        self.refusals: dict[str, list[Quarantined]] = {}

    def read(self, folder: TenantFolder) -> TenantPull:
        """Reads one tenant's files to their ends."""
        pull = TenantPull(folder.tenant_id, self._manifest(folder))
        declared = pull.manifest.files
        for name in folder.unknown:
            self.refuse_file(folder.tenant_id, name, "unknown_type")
        faults: list[tuple[str, str]] = []
        kind = ""
        for file in folder.files:
            if file.artifact_type != kind:
                kind = file.artifact_type
                self._remembered.clear()
            fault = self._read_file(pull, file)
            if fault is None:
                pull.files_ok += 1
            elif declared or fault in _UNREAD:
                faults.append((file.name, fault))
        known = {file.name for file in folder.files}.union(folder.unknown)
        faults.extend((name, "file_missing") for name in sorted(declared.keys() - known))
        if not folder.files:
            faults.append(("", "tenant_empty"))
        for name, fault in faults:
            self.refuse_file(folder.tenant_id, name, fault)
        pull.file_faults = len(faults)
        if faults and pull.manifest.status == "trusted":
            pull.manifest = pull.manifest.broken(faults[0][1])
        return pull

    def refuse_file(self, tenant_id: str | None, name: str, code: str) -> None:
        """Puts a file, or with an empty name a folder, on the list."""
        place = Place(tenant_id or "", "/".join(filter(None, (tenant_id, name)))[:500], 0)
        self._list(EXPORT_MANIFESTS.table, place, code, _FILE_FAULTS[code], None)

    def _manifest(self, folder: TenantFolder) -> Manifest:
        if folder.manifest is None:
            return Manifest("missing", "manifest_missing")
        try:
            with self._root.open(folder.manifest) as stream:
                data = stream.read(MAX_MANIFEST_BYTES + 1)
        except OSError:
            return Manifest("missing", "file_unreadable")
        pems = trusted_pems(self._keys, folder.tenant_id)
        check = self._verifier.verify_manifest(data, pems)
        return read_manifest(check, folder.tenant_id, hashlib.sha256(data).hexdigest())

    # --- one file, one line -----------------------------------------------------------------------

    def _read_file(self, pull: TenantPull, file: ExportFile) -> str | None:
        """Reads one file; returns why it is not the file the manifest declares, or None."""
        kind = EXPORTED[file.artifact_type]
        count = pull.counts.setdefault(kind.name, TypeCount())
        what = f"kernel {pull.tenant_id} {kind.name}"
        path = f"{pull.tenant_id}/{file.name}"
        bad = count.refused + count.mismatched
        try:
            with self._root.open(file.path) as stream:
                reader = LineReader(stream, kind.max_line_bytes)
                for number, line in reader:
                    count.rows_read += 1
                    listed = count.refused + count.mismatched - bad
                    place = Place(pull.tenant_id, path, number)
                    self._read_line(count, kind, place, line, listing=listed < MAX_LISTED_A_FILE)
                    if count.rows_read % _PROGRESS_ROWS == 0:
                        self._progress(what, count.rows_read)
        except OSError:
            count.fault = "file_unreadable"
            return count.fault
        bad = count.refused + count.mismatched - bad
        if bad > MAX_LISTED_A_FILE:
            detail = f"{bad} lines are on no list but the first {MAX_LISTED_A_FILE}"
            self._list(kind.name, Place(pull.tenant_id, path, 0), "list_capped", detail, None)
        self._progress(what, count.rows_read)
        if reader.too_long:
            count.fault = "file_too_long"
            return count.fault
        return file_fault(pull.manifest, file.name, reader.sha256, reader.rows)

    def _read_line(
        self,
        count: TypeCount,
        kind: ArtifactType,
        place: Place,
        line: bytes | None,
        *,
        listing: bool,
    ) -> None:
        key: str | None = None
        try:
            if line is None:
                raise _LineTooLong(kind.max_line_bytes)
            artifact = self._verifier.verify(kind.name, line, kind.max_line_bytes)
            key = kind.identify(artifact.value)
            occurrence = self._occurrence(key, artifact.canonical)
            if occurrence is None:
                count.repeated += 1
                return
            made = list(rows_of(kind, artifact, place._replace(occurrence=occurrence)))
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            count.refused += 1
            if listing:
                self._list(kind.name, place, *refusal, key)
            return
        for table, row in made:
            self._rows.add(table, row)
        count.accepted += 1
        amount = made[-1][1].get("amount_cents")
        if isinstance(amount, int):
            count.amount_sum_cents = (count.amount_sum_cents or 0) + amount
        if artifact.verdict == "mismatch":
            # It is landed, so that it can be seen, and listed, so that someone acts on it.
            count.mismatched += 1
            if listing:
                detail = f"states the hash {artifact.expected}, its content has {artifact.got}"
                self._list(kind.name, place, artifact.code or "hash_mismatch", detail, key)

    def _occurrence(self, key: str, canonical: str) -> int | None:
        """How many other contents of this id came before; None when this very one did.

        Beyond what is remembered every line counts as the first of its id: such an export may land
        unchanged rows again, and loses none.
        """
        of_id = hashlib.blake2b(key.encode(), digest_size=8).digest()
        content = hashlib.blake2b(canonical.encode(), digest_size=16).digest()
        earlier = self._remembered.get(of_id)
        if earlier is None:
            if len(self._remembered) < MAX_REMEMBERED:
                self._remembered[of_id] = [content]
            return 0
        if content in earlier:
            return None
        earlier.append(content)
        return len(earlier) - 1

    def _list(self, table: str, place: Place, code: str, detail: str, key: str | None) -> None:
        entry = Quarantined(
            source_file=place.source_file,
            line=place.line,
            code=code,
            detail=detail[:500],
            key=key[:300] if key else None,
            remedy=remedy_for(code),
            tenant_id=place.tenant_id or None,
        )
        self.refusals.setdefault(table, []).append(entry)


class _LineTooLong(Exception):
    """A line that was not even kept."""

    code: Final = "line_too_long"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.detail = f"the line is longer than {limit} bytes"
