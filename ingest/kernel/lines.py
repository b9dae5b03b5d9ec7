"""One line of an export to the encoded rows it becomes, or to the reason why it becomes none.

Belongs here: what can be said of a line without any other line, in a form that another process can
hand back. Does not belong here: which lines repeat an id, files, or lists of refusals (pull.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from ingest.kernel.artifacts import EXPORTED
from ingest.kernel.refusals import refusal_of
from ingest.kernel.rows import rows_of
from ingest.kernel.tables import ArtifactType, Place
from ingest.kernel.verify import ArtifactVerifier
from ingest.kernel.waiting import encoded

__all__ = ["Line", "LineRead", "Sheet", "read_sheet"]

Line = tuple[int, bytes | None]
"""Number of a line, from 1, and its bytes; None for a line that was too long to keep."""

_ID_BYTES: Final = 8
_CONTENT_BYTES: Final = 16


@dataclass(frozen=True)
class Sheet:
    """Lines of one file that are read together.

    Attributes:
        artifact_type: Name of their type.
        tenant_id: Whose folder the file lies in.
        path: The file, under the root of the exports.
        lines: The lines, in order.
    """

    artifact_type: str
    tenant_id: str
    path: str
    lines: tuple[Line, ...]


@dataclass(slots=True)
class LineRead:
    """What came of one line.

    Attributes:
        number: Its number.
        key: Its artifact's id, where it could be read so far.
        rows: Encoded rows by table, the artifact's own last; empty for a refused line.
        of_id: Digest of the id, and `content` of the canonical text: equal ones are the same thing.
        amount_cents: The artifact's amount, when its type has one.
        refused: Code and detail, when no row may be kept.
        mismatch: Code and detail, when the rows are kept and the artifact does not verify.
    """

    number: int
    key: str | None = None
    rows: tuple[tuple[str, bytes], ...] = ()
    of_id: int = 0
    content: int = 0
    amount_cents: int | None = None
    refused: tuple[str, str] | None = None
    mismatch: tuple[str, str] | None = None


def read_sheet(verifier: ArtifactVerifier, sheet: Sheet) -> list[LineRead]:
    """Verifies every line of a sheet and encodes its rows.

    Raises:
        Exception: A fault of ours; whatever a line holds is a refusal in its own place.
    """
    kind = EXPORTED[sheet.artifact_type]
    return [_read(verifier, kind, sheet, line) for line in sheet.lines]


def _read(verifier: ArtifactVerifier, kind: ArtifactType, sheet: Sheet, numbered: Line) -> LineRead:
    number, line = numbered
    read = LineRead(number)
    if line is None:
        detail = f"the line is longer than {kind.max_line_bytes} bytes"
        read.refused = ("line_too_long", detail)
        return read
    try:
        artifact = verifier.verify(kind.name, line, kind.max_line_bytes)
        read.key = kind.identify(artifact.value)
        made = list(rows_of(kind, artifact, Place(sheet.tenant_id, sheet.path, number)))
    except Exception as error:
        read.refused = refusal_of(error)
        if read.refused is None:
            raise
        return read
    read.rows = tuple((table, encoded(table, row)) for table, row in made)
    read.of_id = _digest(read.key, _ID_BYTES)
    read.content = _digest(artifact.canonical, _CONTENT_BYTES)
    amount = made[-1][1].get("amount_cents")
    read.amount_cents = amount if isinstance(amount, int) else None
    if artifact.verdict == "mismatch":
        code = artifact.code or "hash_mismatch"
        read.mismatch = (code, f"states {artifact.expected}, its content has {artifact.got}")
    return read


def _digest(text: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest())
