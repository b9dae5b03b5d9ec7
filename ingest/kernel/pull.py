"""One pass over one tenant's export: lines to rows that wait, and refusals beside them.

Belongs here: what happens to a line that was read (kept, counted as repeated, or listed with file,
line, code and remedy) and what a file says against the manifest. Does not belong here: finding
files (reading.py), reading a line (lines.py), committing tables (exports.py).

A bad line never stops its file, a bad file never stops its tenant, and no tenant stops another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ingest.kernel.artifacts import EXPORTED
from ingest.kernel.lines import Line, LineRead, Sheet
from ingest.kernel.reading import ExportFile, ExportRoot, LineReader, TenantFolder
from ingest.kernel.refusals import FILE_FAULTS, remedy_for
from ingest.kernel.rows import EXPORT_MANIFESTS
from ingest.kernel.tables import Place
from ingest.kernel.verify import (
    MAX_MANIFEST_BYTES,
    ArtifactVerifier,
    Manifest,
    TrustedKey,
    file_fault,
    read_manifest,
    trusted_pems,
)
from ingest.kernel.waiting import WaitingRows
from ingest.kernel.workers import Readers
from ingest.tables import Quarantined

__all__ = ["TenantPull", "TenantReader", "TypeCount"]

MAX_LISTED_A_FILE: Final = 1_000
MAX_REMEMBERED: Final = 1_000_000
LARGE_FILE_BYTES: Final = 16 << 20
_SHEET_LINES: Final = 2_000
_SHEET_BYTES: Final = 4 << 20
_UNREAD: Final = frozenset({"file_unreadable", "file_too_long", "file_bomb", "file_gzip_invalid"})


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
        capped: Files that end where the kernel cuts a list off, with nothing to say they are whole.
        fault: Why a file of the type could not be read to its end, or None.
    """

    rows_read: int = 0
    accepted: int = 0
    mismatched: int = 0
    repeated: int = 0
    refused: int = 0
    amount_sum_cents: int | None = None
    capped: int = 0
    fault: str | None = None

    @property
    def faults(self) -> dict[str, str]:
        """What keeps the type from being complete although every file was read, in words."""
        found = {"lines_refused": self.refused, "list_capped": self.capped}
        words = {
            "lines_refused": "lines refused",
            "list_capped": "files that end at the list's cap",
        }
        return {code: f"{n} {words[code]}" for code, n in found.items() if n}


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
        lines = all(
            not (c.refused or c.mismatched or c.capped or c.fault) for c in self.counts.values()
        )
        return lines and not self.file_faults and self.manifest.status == "trusted"


class TenantReader:
    """Reads tenants one after the other into rows that wait.

    Args:
        root: The exports.
        verifier: Checks manifests; lines are read by `readers`.
        readers: Reads lines, here or in other processes.
        trusted_keys: Keys that may sign exports, by key id.
        rows: Where rows wait.
        now: When the exports are received.
        reached: By tenant how far an earlier trusted export reached.
        progress: Called with what is being read and how many lines of it were.

    Attributes:
        refusals: What could not be accepted, by landed table; whole files and folders stand under
            `export_manifests`.
    """

    def __init__(
        self,
        root: ExportRoot,
        verifier: ArtifactVerifier,
        readers: Readers,
        trusted_keys: Mapping[str, bytes | TrustedKey],
        rows: WaitingRows,
        *,
        now: datetime,
        reached: Mapping[str, datetime],
        progress: Callable[[str, int], None] | None = None,
    ) -> None:
        self._root = root
        self._verifier = verifier
        self._readers = readers
        self._keys = trusted_keys
        self._rows = rows
        self._now = now
        self._reached = reached
        self._progress = progress or (lambda _what, _rows: None)
        self._remembered: dict[int, int | tuple[int, ...]] = {}
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
        self._list(EXPORT_MANIFESTS.table, place, code, FILE_FAULTS[code], None)

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
        return read_manifest(
            check,
            folder.tenant_id,
            hashlib.sha256(data).hexdigest(),
            now=self._now,
            reached=self._reached.get(folder.tenant_id),
        )

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
                reader = LineReader(stream, kind.max_line_bytes, gzipped=file.gzipped)
                sheets = (
                    Sheet(kind.name, pull.tenant_id, path, lines) for lines in _sheets(reader)
                )
                for read in self._readers.read(sheets, large=file.size > LARGE_FILE_BYTES):
                    for line in read:
                        listed = count.refused + count.mismatched - bad
                        place = Place(pull.tenant_id, path, line.number)
                        self._take(count, kind.name, place, line, listed < MAX_LISTED_A_FILE)
                    self._progress(what, count.rows_read)
        except OSError:
            count.fault = "file_unreadable"
            return count.fault
        bad = count.refused + count.mismatched - bad
        if bad > MAX_LISTED_A_FILE:
            detail = f"{bad} lines are on no list but the first {MAX_LISTED_A_FILE}"
            self._list(kind.name, Place(pull.tenant_id, path, 0), "list_capped", detail, None)
        if reader.fault:
            count.fault = reader.fault
            return count.fault
        full = kind.page_rows and reader.rows and reader.rows % kind.page_rows == 0
        if full and not pull.manifest.is_whole(file.name):
            count.capped += 1
            self.refuse_file(pull.tenant_id, file.name, "file_capped")
        return file_fault(pull.manifest, file.name, reader.sha256, reader.rows)

    def _take(
        self, count: TypeCount, table: str, place: Place, line: LineRead, listing: bool
    ) -> None:
        """Keeps the rows of one line, or lists why there are none."""
        count.rows_read += 1
        if line.refused is not None:
            count.refused += 1
            if listing:
                self._list(table, place, *line.refused, line.key)
            return
        occurrence = self._occurrence(line.of_id, line.content)
        if occurrence is None:
            count.repeated += 1
            return
        for row_table, row in line.rows:
            self._rows.add(row_table, row, occurrence)
        count.accepted += 1
        if line.amount_cents is not None:
            count.amount_sum_cents = (count.amount_sum_cents or 0) + line.amount_cents
        if line.mismatch is not None:
            # It is landed, so that it can be seen, and listed, so that someone acts on it.
            count.mismatched += 1
            if listing:
                self._list(table, place, *line.mismatch, line.key)

    def _occurrence(self, of_id: int, content: int) -> int | None:
        """How many other contents of this id came before; None when this very one did.

        Beyond what is remembered every line counts as the first of its id: such an export may land
        unchanged rows again, and loses none.
        """
        earlier = self._remembered.get(of_id)
        if earlier is None:
            if len(self._remembered) < MAX_REMEMBERED:
                self._remembered[of_id] = content
            return 0
        contents = earlier if isinstance(earlier, tuple) else (earlier,)
        if content in contents:
            return None
        self._remembered[of_id] = (*contents, content)
        return len(contents)

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


def _sheets(lines: LineReader) -> Iterator[tuple[Line, ...]]:
    """The lines of a file by the sheet."""
    sheet: list[Line] = []
    size = 0
    for number, line in lines:
        sheet.append((number, line))
        size += len(line or b"")
        if len(sheet) == _SHEET_LINES or size >= _SHEET_BYTES:
            yield tuple(sheet)
            sheet, size = [], 0
    if sheet:
        yield tuple(sheet)
