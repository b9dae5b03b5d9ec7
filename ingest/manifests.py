"""The manifest of a batch as a file: the commit that makes the batch exist.

Belongs here: writing and reading one manifest, and saying that landed data is damaged. Does not
belong here: when a manifest is written (`ingest.landing`), or what a batch holds.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from ingest.errors import LandingError
from ingest.tables import BatchManifest, Column, Erased

__all__ = [
    "MANIFEST",
    "SCHEMA_FILE",
    "check_file",
    "damaged",
    "manifest_bytes",
    "manifest_of",
    "read_manifest",
]

MANIFEST: Final = ".manifest.json"
# The one file of a table's folder that has no manifest: typed, and without a row.
SCHEMA_FILE: Final = "schema.parquet"
MAX_MANIFEST_BYTES: Final = 1024 * 1024


def manifest_bytes(manifest: BatchManifest) -> bytes:
    """A manifest as one line of JSON with sorted keys."""
    return orjson.dumps(asdict(manifest), option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z) + b"\n"


def read_manifest(path: Path) -> BatchManifest:
    """Reads a manifest back.

    Raises:
        LandingError: The file is not a manifest.
    """
    try:
        with path.open("rb") as handle:
            raw = orjson.loads(handle.read(MAX_MANIFEST_BYTES))
        return manifest_of(raw, tuple(Column(**column) for column in raw["columns"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise damaged(path, "text that is not a manifest", "the manifest of a batch") from None


def manifest_of(raw: dict[str, Any], columns: tuple[Column, ...]) -> BatchManifest:
    """A manifest from its JSON members; its columns are made by the caller, who may share them."""
    received_at = datetime.fromisoformat(raw["received_at"])
    erased = tuple(map(_erased, raw.get("erased", ())))
    return BatchManifest(
        **{**raw, "received_at": received_at, "columns": columns, "erased": erased}
    )


def _erased(raw: dict[str, Any]) -> Erased:
    return Erased(**{**raw, "at": datetime.fromisoformat(raw["at"])})


def check_file(home: Path, manifest: BatchManifest) -> Path:
    """The Parquet file of a batch.

    Raises:
        LandingError: It is missing or has another size than its manifest says.
    """
    path = home / "landing" / manifest.source / manifest.table / f"{manifest.batch_id}.parquet"
    size = path.stat().st_size if path.exists() else None
    if size != manifest.parquet_bytes:
        got = "no file" if size is None else f"{size} bytes"
        raise damaged(path, got, f"{manifest.parquet_bytes} bytes")
    return path


def damaged(path: Path, got: str, expected: str) -> LandingError:
    """The error for a landed file that is not what it was when it was committed."""
    place = "/".join(path.parts[-3:])
    return LandingError(
        got=f"{got} at landing/{place}",
        expected=expected,
        remedy="Landed files are never edited: restore the file from a backup, or remove it "
        "together with its manifest and pull again",
        code="landing_damaged",
    )
