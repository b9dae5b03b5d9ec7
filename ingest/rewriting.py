"""Taking rows out of a landed batch: the one change that a committed batch may undergo.

Belongs here: the steps by which a batch becomes a smaller one under the same name, finishing them
after a crash, and refusing questions that the rows answered. Does not belong here: which rows go,
or why (`ingest.erasing`), and any lock (`ingest.landing`).

    1. <batch_id>.<digest>.rewritten   what is left, written, synced and named by its own digest
    2. <batch_id>.manifest.json        replaced by one with that digest: the commit
    3. <batch_id>.parquet              replaced by the file of step 1

Before step 2 nothing has changed. After it the file of step 1 is what the manifest tells of, and
whoever finds it completes step 3. The batch keeps its name, even without a row: runs have pinned
it, and the rows that stay keep their batch and number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from ingest import parquet
from ingest.errors import LandingError
from ingest.files import publish, publish_bytes, remove, removing
from ingest.manifests import MANIFEST, manifest_bytes, read_manifest
from ingest.tables import BatchManifest, Erased

__all__ = ["REWRITTEN", "finish_rewrite", "require_unerased", "rewrite_batch"]

REWRITTEN: Final = ".rewritten"


def rewrite_batch(
    database: parquet.Database,
    folder: Path,
    manifest: BatchManifest,
    condition: str,
    erased: Callable[[BatchManifest], Erased],
) -> BatchManifest:
    """Takes the rows out of a batch for which a condition holds; the caller is alone.

    Args:
        database: From `parquet.open_database`.
        folder: Where the batch lies.
        manifest: Its manifest.
        condition: A SQL condition over its columns.
        erased: Makes the record of it from the manifest as it was.

    Returns:
        The manifest as it is now.
    """
    path = folder / f"{manifest.batch_id}.parquet"
    temporary = folder / f"{manifest.batch_id}.{os.getpid()}.tmp"
    with removing(temporary):
        parquet.copy_without(database, path, condition, temporary)
        digest = parquet.ndjson_sha256(database, manifest.columns, temporary)
        record = erased(manifest)
        smaller = replace(
            manifest,
            rows=manifest.rows - record.rows,
            ndjson_sha256=digest,
            parquet_bytes=temporary.stat().st_size,
            erased=(*manifest.erased, record),
        )
        staged = folder / f"{manifest.batch_id}.{digest}{REWRITTEN}"
        publish(temporary, staged)
    publish_bytes(manifest_bytes(smaller), folder / f"{manifest.batch_id}{MANIFEST}")
    publish(staged, path)
    return smaller


def finish_rewrite(staged: Path) -> None:
    """Completes or forgets what a rewrite left behind that died; the caller is alone."""
    batch_id, digest = staged.name.removesuffix(REWRITTEN).rsplit(".", 1)
    committed = staged.with_name(f"{batch_id}{MANIFEST}")
    manifest = read_manifest(committed) if committed.exists() else None
    if manifest and manifest.erased and manifest.ndjson_sha256 == digest:
        publish(staged, staged.with_name(f"{batch_id}.parquet"))
    else:
        remove(staged)


def require_unerased(committed: Iterable[BatchManifest], known_at: datetime) -> None:
    """Nobody gets another answer for a time at which rows were there that are gone.

    Raises:
        LandingError: Rows were taken out of these batches after `known_at` (`erased_since`).
    """
    later = [
        record
        for batch in committed
        if batch.received_at <= known_at
        for record in batch.erased
        if record.at > known_at
    ]
    if later:
        last = max(later, key=lambda record: record.at)
        raise LandingError(
            got=f"a question as of {known_at:%Y-%m-%d %H:%M:%S} UTC; the rows of tenant "
            f"{last.tenant_id} that answered it were erased at {last.at:%Y-%m-%d %H:%M:%S} UTC",
            expected="a time at or after that",
            remedy="The data is gone: leave --as-of out or ask of a later time. What was reported "
            "before stands in the signed packets",
            code="erased_since",
        )
