"""One verified artifact to the rows it becomes: its own, its children's, and its verdict's.

Belongs here: which rows follow from one artifact, with the artifacts it carries inside. Does not
belong here: how a column is read (fields.py), files and lines (pull.py), or landing (exports.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ingest.kernel.artifacts import LANDED_TYPES
from ingest.kernel.rail_types import CONNECT_ACCOUNTS, MONEY_RAIL_CONTROLS
from ingest.kernel.settlement_types import X402_RECEIPTS
from ingest.kernel.tables import SOURCE, VOUCHED, ArtifactType, Place, listed
from ingest.kernel.verify import Verified
from ingest.tables import BIGINT, TIMESTAMP, VARCHAR, TableSpec, columns

__all__ = [
    "ARTIFACT_VERDICTS",
    "EXPORT_MANIFESTS",
    "KERNEL_TABLES",
    "rows_of",
]

ARTIFACT_VERDICTS: Final = TableSpec(
    SOURCE,
    "artifact_verdicts",
    columns(
        tenant_id=VARCHAR,
        artifact_type=VARCHAR,
        artifact_id=VARCHAR,
        verdict=VARCHAR,
        code=VARCHAR,
        expected=VARCHAR,
        got=VARCHAR,
        signature_status=VARCHAR,
        period=VARCHAR,
        manifest_status=VARCHAR,
        occurrence=BIGINT,
    ),
    key=("tenant_id", "artifact_type", "artifact_id", "occurrence"),
)

EXPORT_MANIFESTS: Final = TableSpec(
    SOURCE,
    "export_manifests",
    columns(
        tenant_id=VARCHAR,
        signer_keyid=VARCHAR,
        manifest_status=VARCHAR,
        manifest_code=VARCHAR,
        exported_through=TIMESTAMP,
        files_declared=BIGINT,
        files_ok=BIGINT,
        manifest_sha256=VARCHAR,
    ),
    key=("tenant_id",),
)


def _landing_order() -> tuple[TableSpec, ...]:
    """Children before their parents, and what an artifact carries before the artifact."""
    carriers = (X402_RECEIPTS, MONEY_RAIL_CONTROLS)
    types = [kind for kind in LANDED_TYPES if kind not in carriers]
    specs = [spec for kind in types for spec in (*kind.child_specs, kind.spec)]
    return (*specs, *(kind.spec for kind in carriers), ARTIFACT_VERDICTS, EXPORT_MANIFESTS)


KERNEL_TABLES: Final = _landing_order()

_INHERITED: Final = (
    VOUCHED,
    "artifact_sha256",
    "verdict",
    "source_file",
    "source_line",
    "occurrence",
)
_CONNECT_ACCOUNTS_INSIDE: Final = listed("connect.accounts")


def rows_of(
    kind: ArtifactType, artifact: Verified, place: Place
) -> Iterator[tuple[str, dict[str, object]]]:
    """Tables and rows of one artifact, its own row last.

    Raises:
        ArtifactRefused: A member does not fit; no row of the artifact may then be kept.
    """
    row = kind.row(artifact.value, place.tenant_id)
    row |= kind.provenance(artifact.canonical, artifact.expected, artifact.verdict, place)
    for child in kind.children:
        for child_row in child.rows(artifact.value, row):
            yield child.table, child_row
    for path, inner in artifact.inside.items():
        inner_kind = kind.inside[path.partition("[")[0]]
        for table, inner_row in rows_of(inner_kind, inner, place):
            if "origin" in inner_row:
                inner_row["origin"] = "x402"
            yield table, inner_row
    if kind is MONEY_RAIL_CONTROLS:
        yield from _connect_accounts(artifact, row)
    if kind.judged:
        yield (
            ARTIFACT_VERDICTS.table,
            {
                "tenant_id": place.tenant_id,
                "artifact_type": kind.name,
                "artifact_id": kind.identify(artifact.value),
                "verdict": artifact.verdict,
                "code": artifact.code,
                "expected": artifact.expected,
                "got": artifact.got,
                "signature_status": artifact.signature,
                "period": kind.period(row),
                "occurrence": place.occurrence,
            },
        )
    yield kind.name, row


def _connect_accounts(
    controls: Verified, row: dict[str, object]
) -> Iterator[tuple[str, dict[str, object]]]:
    """The accounts inside the controls, with the controls' own provenance."""
    shared = {name: row[name] for name in _INHERITED}
    tenant_id = str(row["tenant_id"])
    for account in _CONNECT_ACCOUNTS_INSIDE(controls.value):
        inner = CONNECT_ACCOUNTS.row({**account, "tenantId": tenant_id}, tenant_id)
        yield CONNECT_ACCOUNTS.name, inner | shared
