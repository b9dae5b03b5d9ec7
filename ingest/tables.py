"""The shapes of landed tables: columns, keys, manifests, and Tieout's tables about itself.

Belongs here: plain declarations that other modules import. Does not belong here: reading or writing
a file, or a source's own tables (those live beside the source that fills them).

Only four column types exist, because they mean the same thing in DuckDB, Spark and plain Parquet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ingest.errors import LandingError

__all__ = [
    "BIGINT",
    "BOOLEAN",
    "BREAKS",
    "CONTROLS",
    "COVERAGE",
    "DRILLS",
    "GATE_EVALUATIONS",
    "ITEM_MATCHES",
    "LINEAGE",
    "MATCHED_SPANS",
    "PACKETS",
    "PAYOUT_JOURNAL",
    "PINNED_BATCHES",
    "PROVIDER_EVENTS",
    "QUARANTINE",
    "RUN_LOG",
    "TIEOUT_TABLES",
    "TIMESTAMP",
    "VARCHAR",
    "BatchManifest",
    "Column",
    "Erased",
    "Quarantined",
    "TableSpec",
    "columns",
]

BIGINT: Final = "BIGINT"
VARCHAR: Final = "VARCHAR"
BOOLEAN: Final = "BOOLEAN"
TIMESTAMP: Final = "TIMESTAMP"
_TYPES: Final = frozenset({BIGINT, VARCHAR, BOOLEAN, TIMESTAMP})
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Column:
    """One landed column; `type` is one of BIGINT, VARCHAR, BOOLEAN, TIMESTAMP (UTC, naive)."""

    name: str
    type: str

    def __post_init__(self) -> None:
        if self.type not in _TYPES or not _NAME.fullmatch(self.name):
            raise LandingError(
                got=f"column {self.name!r} of type {self.type!r}",
                expected=f"a snake_case name and one of the types {', '.join(sorted(_TYPES))}",
                remedy="Correct the table's declaration",
                code="landing_column_invalid",
            )


def columns(**types: str) -> tuple[Column, ...]:
    """Columns from keyword arguments, in their order: `columns(id=VARCHAR, amount=BIGINT)`."""
    return tuple(Column(name, type_) for name, type_ in types.items())


LINEAGE: Final = columns(batch_id=VARCHAR, row_no=BIGINT, received_at=TIMESTAMP)


@dataclass(frozen=True)
class TableSpec:
    """One landed table.

    Attributes:
        source: Top folder under `landing/`, also the dbt source name.
        table: Folder under the source, also the dbt table name.
        columns: Columns in order, without lineage; a row may hold these names and no other.
        key: Names that identify one thing of which later rows are newer versions.
        append_only: True lands every row; False lands a row only if it differs from the latest
            landed row of the same key, so that reading the same thing again changes nothing.
        seen: Columns that say when something was seen, not what: a row that differs only there
            counts as unchanged.
    """

    source: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    append_only: bool = False
    seen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        sound = (
            _NAME.fullmatch(self.source)
            and _NAME.fullmatch(self.table)
            and names
            and len(set(names)) == len(names)
            and set(self.key) | set(self.seen) <= set(names)
            and (self.key or self.append_only)
        )
        if not sound:
            raise LandingError(
                got=f"table {self.name} with columns {names} and key {list(self.key)}",
                expected="snake_case names, unique columns, and a key among them unless the table "
                "is append-only",
                remedy="Correct the table's declaration",
                code="landing_spec_invalid",
            )

    @property
    def lineage(self) -> tuple[Column, ...]:
        """Columns that landing appends. A declared column of the same name stands in its place,
        which only `pinned_batches` uses: its `batch_id` names the batch that is pinned."""
        declared = {column.name for column in self.columns}
        return tuple(column for column in LINEAGE if column.name not in declared)

    @property
    def name(self) -> str:
        """`<source>/<table>`, as paths and messages spell it."""
        return f"{self.source}/{self.table}"


@dataclass(frozen=True)
class Quarantined:
    """One input that could not be accepted: where it stands and why, never what it says.

    `line` counts from 1; 0 where `key` alone says which input it is.
    """

    source_file: str
    line: int
    code: str
    detail: str
    key: str | None
    remedy: str
    tenant_id: str | None = None


@dataclass(frozen=True)
class Erased:
    """Rows that were taken out of a batch after its commit, because their tenant was erased.

    Attributes:
        rows: How many.
        ndjson_sha256: Digest of the batch as it was before.
    """

    erasure_id: str
    tenant_id: str
    at: datetime
    rows: int
    ndjson_sha256: str


@dataclass(frozen=True)
class BatchManifest:
    """The commit of one batch of one table.

    Attributes:
        rows: Rows in the batch's Parquet file.
        unchanged: Rows that were read again and equal the latest landed ones; not landed.
        quarantined: Inputs refused in this batch.
        ndjson_sha256: Hex SHA-256 over the canonical NDJSON of the landed rows, lineage excluded.
        parquet_bytes: Size of the Parquet file when committed.
        request: What was asked of the source (no secrets), as the caller gave it.
        columns: Column names and types of the batch, lineage excluded.
        erased: What was taken out of it since, oldest first; `rows`, digest and size are those of
            what is left.
    """

    source: str
    table: str
    batch_id: str
    received_at: datetime
    rows: int
    unchanged: int
    quarantined: int
    ndjson_sha256: str
    parquet_bytes: int
    request: Mapping[str, object] | None
    columns: tuple[Column, ...]
    erased: tuple[Erased, ...] = ()


# --- the tables Tieout writes about itself --------------------------------------------------------

PINNED_BATCHES: Final = TableSpec(
    "tieout",
    "pinned_batches",
    columns(run_id=VARCHAR, source=VARCHAR, table_name=VARCHAR, batch_id=VARCHAR),
    key=("run_id", "source", "table_name", "batch_id"),
    append_only=True,
)

COVERAGE: Final = TableSpec(
    "tieout",
    "coverage",
    columns(
        source=VARCHAR,
        account_id=VARCHAR,
        endpoint=VARCHAR,
        tenant_id=VARCHAR,
        slice_from=TIMESTAMP,
        slice_to=TIMESTAMP,
        status=VARCHAR,
        rows_read=BIGINT,
        rows_landed=BIGINT,
        amount_sum_cents=BIGINT,
        error_code=VARCHAR,
        error_detail=VARCHAR,
        started_at=TIMESTAMP,
        finished_at=TIMESTAMP,
        pull_id=VARCHAR,
        is_platform=BOOLEAN,
        purpose=VARCHAR,
    ),
    key=("pull_id", "account_id", "endpoint", "tenant_id", "slice_from"),
    append_only=True,
)

QUARANTINE: Final = TableSpec(
    "tieout",
    "quarantine",
    columns(
        source=VARCHAR,
        table_name=VARCHAR,
        source_file=VARCHAR,
        line=BIGINT,
        code=VARCHAR,
        detail=VARCHAR,
        key=VARCHAR,
        remedy=VARCHAR,
        tenant_id=VARCHAR,
    ),
    # An input that is refused again on every pull is listed once.
    key=("source", "table_name", "source_file", "line", "key", "code"),
)

PAYOUT_JOURNAL: Final = TableSpec(
    "tieout",
    "payout_journal",
    columns(
        payout_key=VARCHAR,
        tenant_id=VARCHAR,
        operation_id=VARCHAR,
        attempt=BIGINT,
        idempotency_key=VARCHAR,
        state=VARCHAR,
        transfer_id=VARCHAR,
        amount_cents=BIGINT,
        currency=VARCHAR,
        destination_account_id=VARCHAR,
        provider_id=VARCHAR,
        party_id=VARCHAR,
        period=VARCHAR,
        decision_sha256=VARCHAR,
        livemode=BOOLEAN,
        recovery_cents=BIGINT,
        reason_code=VARCHAR,
        seq=BIGINT,
        at=TIMESTAMP,
    ),
    key=("seq",),
)

CONTROLS: Final = TableSpec(
    "tieout",
    "controls",
    columns(
        seq=BIGINT,
        tenant_id=VARCHAR,
        provider_id=VARCHAR,
        field=VARCHAR,
        value=VARCHAR,
        action=VARCHAR,
        operator=VARCHAR,
        second_operator=VARCHAR,
        at=TIMESTAMP,
        reason=VARCHAR,
        line_status=VARCHAR,
        void_code=VARCHAR,
    ),
    key=("seq",),
)

BREAKS: Final = TableSpec(
    "tieout",
    "breaks",
    columns(
        run_id=VARCHAR,
        as_of=TIMESTAMP,
        tenant_id=VARCHAR,
        break_id=VARCHAR,
        outcome=VARCHAR,
        reason_code=VARCHAR,
        drift_cents=BIGINT,
        currency=VARCHAR,
        period=VARCHAR,
        party_id=VARCHAR,
        first_seen_at=TIMESTAMP,
        source_complete=BOOLEAN,
        lifecycle=VARCHAR,
        expected_cents=BIGINT,
        actual_cents=BIGINT,
        kernel_object_id=VARCHAR,
        rail_object_id=VARCHAR,
        payout_key=VARCHAR,
        expected_by=TIMESTAMP,
        item_kind=VARCHAR,
        opened_at=TIMESTAMP,
        open_cents=BIGINT,
        matched_cents=BIGINT,
    ),
    key=("run_id", "tenant_id", "break_id"),
    append_only=True,
)

ITEM_MATCHES: Final = TableSpec(
    "tieout",
    "item_matches",
    columns(
        run_id=VARCHAR,
        as_of=TIMESTAMP,
        tenant_id=VARCHAR,
        break_id=VARCHAR,
        matched_at=TIMESTAMP,
        matched_cents=BIGINT,
    ),
    key=("run_id", "tenant_id", "break_id", "matched_at"),
    append_only=True,
)

MATCHED_SPANS: Final = TableSpec(
    "tieout",
    "matched_spans",
    columns(
        run_id=VARCHAR,
        as_of=TIMESTAMP,
        tenant_id=VARCHAR,
        currency=VARCHAR,
        opened_period=VARCHAR,
        cleared_period=VARCHAR,
        amount_cents=BIGINT,
        items=BIGINT,
    ),
    key=("run_id", "tenant_id", "currency", "opened_period", "cleared_period"),
    append_only=True,
)

GATE_EVALUATIONS: Final = TableSpec(
    "tieout",
    "gate_evaluations",
    columns(
        run_id=VARCHAR,
        tenant_id=VARCHAR,
        payout_key=VARCHAR,
        decision=VARCHAR,
        first_code=VARCHAR,
        held_codes=VARCHAR,
        kernel_code=VARCHAR,
        as_of=TIMESTAMP,
        decision_sha256=VARCHAR,
        packet_sha256=VARCHAR,
    ),
    key=("run_id", "tenant_id", "payout_key"),
    append_only=True,
)

PACKETS: Final = TableSpec(
    "tieout",
    "packets",
    columns(
        tenant_id=VARCHAR,
        period=VARCHAR,
        revision=BIGINT,
        packet_sha256=VARCHAR,
        previous_sha256=VARCHAR,
        supersedes_sha256=VARCHAR,
        verdict=VARCHAR,
        path=VARCHAR,
        log_index=BIGINT,
        as_of=TIMESTAMP,
    ),
    key=("tenant_id", "period", "revision"),
    append_only=True,
)

PROVIDER_EVENTS: Final = TableSpec(
    "tieout",
    "provider_events",
    columns(
        tenant_id=VARCHAR,
        provider_id=VARCHAR,
        dedupe_key=VARCHAR,
        operation_id=VARCHAR,
        event_type=VARCHAR,
        event_id=VARCHAR,
        occurred_at=TIMESTAMP,
        provider_ref=VARCHAR,
        reason_code=VARCHAR,
        delivered_at=TIMESTAMP,
        status=VARCHAR,
        state_before=VARCHAR,
        state_after=VARCHAR,
        code=VARCHAR,
        detail=VARCHAR,
    ),
    key=("tenant_id", "provider_id", "dedupe_key", "event_type"),
)

DRILLS: Final = TableSpec(
    "tieout",
    "drills",
    columns(
        tenant_id=VARCHAR,
        artifact_sha256=VARCHAR,
        period=VARCHAR,
        drill=VARCHAR,
        provider_id=VARCHAR,
        operation_id=VARCHAR,
        party_id=VARCHAR,
        drill_status=VARCHAR,
        outstanding_cents=BIGINT,
        currency=VARCHAR,
        payout_code=VARCHAR,
        record=VARCHAR,
    ),
    key=("tenant_id", "artifact_sha256"),
)

RUN_LOG: Final = TableSpec(
    "tieout",
    "run_log",
    columns(run_id=VARCHAR, as_of=TIMESTAMP, known_at=TIMESTAMP, started_at=TIMESTAMP),
    key=("run_id",),
    append_only=True,
)

TIEOUT_TABLES: Final[tuple[TableSpec, ...]] = (
    PINNED_BATCHES,
    COVERAGE,
    QUARANTINE,
    PAYOUT_JOURNAL,
    CONTROLS,
    BREAKS,
    ITEM_MATCHES,
    MATCHED_SPANS,
    GATE_EVALUATIONS,
    PACKETS,
    PROVIDER_EVENTS,
    DRILLS,
    RUN_LOG,
)
