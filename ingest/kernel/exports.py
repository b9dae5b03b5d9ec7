"""Landing kernel exports: every tenant's files into the kernel tables, in one pull.

Belongs here: the order in which tables are committed, the manifest rows, the coverage rows, and the
summary handed back. Does not belong here: anything about one file or one line (pull.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ingest.kernel.pull import TenantPull, TenantReader
from ingest.kernel.reading import ExportRoot
from ingest.kernel.rows import ARTIFACT_VERDICTS, EXPORT_MANIFESTS, KERNEL_TABLES
from ingest.kernel.tables import SOURCE, VOUCHED
from ingest.kernel.verify import ArtifactVerifier, TrustedKey
from ingest.kernel.waiting import WaitingRows, encoded
from ingest.kernel.workers import Readers, cores
from ingest.landing import Landing, new_batch_id
from ingest.tables import COVERAGE, TableSpec

__all__ = ["KernelPull", "land_kernel"]

_INT64: Final = range(-(2**63), 2**63)


@dataclass(frozen=True)
class KernelPull:
    """What one pull of kernel exports brought.

    Attributes:
        batch_id: The batch that all its tables share.
        rows_read: Lines read.
        rows_landed: Rows that are new in the landing, of all tables but coverage.
        quarantined: Entries on the list of what could not be accepted.
        complete: Whether everything was accepted under trusted manifests.
    """

    pull_id: str
    batch_id: str
    tenants: tuple[TenantPull, ...]
    rows_read: int
    rows_landed: int
    quarantined: int
    complete: bool


def land_kernel(
    *,
    root: str,
    landing: Landing,
    verifier: ArtifactVerifier,
    trusted_keys: Mapping[str, bytes | TrustedKey],
    now: datetime,
    only_tenants: Collection[str] | None = None,
    erased: Collection[str] = (),
    progress: Callable[[str, int], None] | None = None,
    workers: int | None = None,
) -> KernelPull:
    """Lands the exports under `root`: `<tenant_id>/<type>.jsonl` or `<tenant_id>/<type>/*.jsonl`.

    Args:
        root: A folder or fsspec address.
        landing: Where to.
        verifier: Strict reading, hashes and signatures.
        trusted_keys: Keys that may sign exports by key id; bare PEM bytes speak for every tenant.
        now: When the exports are received, UTC-aware.
        only_tenants: Tenants to read, or None for all.
        erased: Tenants that were erased: what is exported of them is listed as refused, unread.
        progress: Called with what is being read and how many lines of it were.
        workers: Processes that read a large file; by default one for each usable core.

    Raises:
        SourceUnavailable: There is nothing to read.
        LandingError: The landing cannot be written.
    """
    pull_id = f"kernel-{secrets.token_hex(4)}"
    batch_id = new_batch_id(now, pull_id)
    export = ExportRoot(root)
    found, strangers = export.tenants(only_tenants)
    folders = [folder for folder in found if folder.tenant_id not in erased]
    strangers += [(f.tenant_id, "tenant_erased") for f in found if f.tenant_id in erased]
    rows = WaitingRows(landing.home)
    readers = Readers(verifier, workers or cores())
    try:
        reader = TenantReader(
            export,
            verifier,
            readers,
            trusted_keys,
            rows,
            now=now,
            reached=_reached(landing),
            progress=progress,
        )
        for name, code in strangers:
            reader.refuse_file(None, name, code)
        pulls = tuple(reader.read(folder) for folder in folders)
        for pull in pulls:
            table = EXPORT_MANIFESTS.table
            rows.add(table, encoded(table, _manifest_row(pull)))
        landed = _land(landing, rows, reader, pulls, batch_id=batch_id, now=now)
    finally:
        readers.close()
        rows.close()
    coverage = [row for pull in pulls for row in _coverage_rows(pull, pull_id, now)]
    if only_tenants is None:
        known = {str(tenant) for (tenant,) in landing.distinct(EXPORT_MANIFESTS, ("tenant_id",))}
        gone = known - {folder.tenant_id for folder in folders} - set(erased)
        coverage += [_gone_row(tenant, pull_id, now) for tenant in sorted(gone)]
    landing.write(COVERAGE, coverage, batch_id=batch_id, received_at=now)
    return KernelPull(
        pull_id=pull_id,
        batch_id=batch_id,
        tenants=pulls,
        rows_read=sum(count.rows_read for pull in pulls for count in pull.counts.values()),
        rows_landed=landed,
        quarantined=sum(map(len, reader.refusals.values())),
        complete=not strangers and all(pull.whole for pull in pulls),
    )


def _reached(landing: Landing) -> dict[str, datetime]:
    """How far the trusted exports that are landed reach, by tenant."""
    landing.ensure_schema((EXPORT_MANIFESTS,))
    columns = ("tenant_id", "manifest_status", "exported_through")
    reached: dict[str, datetime] = {}
    for tenant_id, status, through in landing.distinct(EXPORT_MANIFESTS, columns):
        if status == "trusted" and isinstance(through, datetime):
            reached[str(tenant_id)] = max(through, reached.get(str(tenant_id), through))
    return reached


def _land(
    landing: Landing,
    rows: WaitingRows,
    reader: TenantReader,
    pulls: tuple[TenantPull, ...],
    *,
    batch_id: str,
    now: datetime,
) -> int:
    """Commits every table once, in an order that shows no parent without its children."""
    statuses = {pull.tenant_id: pull.manifest.status for pull in pulls}
    landed = 0
    landing.ensure_schema(KERNEL_TABLES)
    for spec in KERNEL_TABLES:
        refusals = reader.refusals.get(spec.table, [])
        if not refusals and not rows.has(spec.table):
            continue
        manifest = landing.write(
            spec,
            _rows(spec, rows, statuses),
            batch_id=batch_id,
            received_at=now,
            request={"source": SOURCE, "tenants": len(pulls)},
            quarantined=refusals,
        )
        landed += manifest.rows if manifest else 0
    return landed


def _rows(
    spec: TableSpec, rows: WaitingRows, statuses: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    for row in rows.take(spec.table):
        if spec is ARTIFACT_VERDICTS:
            row["manifest_status"] = statuses[str(row["tenant_id"])]
        elif VOUCHED in row:
            row[VOUCHED] = statuses[str(row["tenant_id"])] == "trusted"
        yield row


def _manifest_row(pull: TenantPull) -> dict[str, object]:
    manifest = pull.manifest
    return {
        "tenant_id": pull.tenant_id,
        "signer_keyid": manifest.signer_keyid,
        "manifest_status": manifest.status,
        "manifest_code": manifest.code,
        "exported_through": manifest.exported_through,
        "files_declared": len(manifest.files),
        "files_ok": pull.files_ok,
        "manifest_sha256": manifest.sha256,
    }


def _gone_row(tenant_id: str, pull_id: str, now: datetime) -> dict[str, object]:
    """A tenant whose folder was there before and is not: what it would say is not known."""
    return {
        "source": SOURCE,
        "endpoint": "export",
        "tenant_id": tenant_id,
        "status": "failed",
        "rows_read": 0,
        "rows_landed": 0,
        "error_code": "export_missing",
        "started_at": now,
        "finished_at": now,
        "pull_id": pull_id,
    }


def _coverage_rows(pull: TenantPull, pull_id: str, now: datetime) -> Iterator[dict[str, object]]:
    for name, count in pull.counts.items():
        status = "failed" if count.fault else "partial" if count.faults else "complete"
        total = count.amount_sum_cents
        yield {
            "source": SOURCE,
            "endpoint": name,
            "tenant_id": pull.tenant_id,
            "slice_to": pull.manifest.exported_through,
            "status": status,
            "rows_read": count.rows_read,
            "rows_landed": count.accepted,
            "amount_sum_cents": total if total is None or total in _INT64 else None,
            "error_code": count.fault or next(iter(count.faults), None),
            "error_detail": "; ".join(count.faults.values()) or None,
            "started_at": now,
            "finished_at": now,
            "pull_id": pull_id,
        }
