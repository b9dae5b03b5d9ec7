"""What people decided, as landed tables: one row an operator line of each book of acts.

Belongs here: the columns, and the tables that certification and the audit trail land beside them.
Does not belong here: what a line may say (acts.py), or what follows from it (the models).
"""

from __future__ import annotations

from typing import Final

from ingest.tables import BIGINT, TIMESTAMP, VARCHAR, Column, TableSpec, columns

__all__ = [
    "AUDIT",
    "CERTIFICATIONS",
    "CERTIFIED_FIGURES",
    "DEPARTURES",
    "ERASED_MOVEMENTS",
    "ERASURES",
    "OPERATOR_TABLES",
    "OVERRIDES",
    "RESTATEMENTS",
    "TRIAGE",
    "WRITE_OFFS",
]

_BEFORE: Final = columns(seq=BIGINT, act_id=VARCHAR, action=VARCHAR, tenant_id=VARCHAR)
_AFTER: Final = columns(
    operator=VARCHAR,
    at=TIMESTAMP,
    reason=VARCHAR,
    line_status=VARCHAR,
    void_code=VARCHAR,
    line_sha256=VARCHAR,
)


def _book(name: str, *members: Column) -> TableSpec:
    return TableSpec("tieout", name, (*_BEFORE, *members, *_AFTER), key=("seq",))


OVERRIDES: Final = _book(
    "overrides",
    *columns(
        break_id=VARCHAR,
        payout_key=VARCHAR,
        condition_code=VARCHAR,
        observed=VARCHAR,
        reason_code=VARCHAR,
        drift_cents=BIGINT,
        amount_cents=BIGINT,
        currency=VARCHAR,
        evidence_url=VARCHAR,
        expires_at=TIMESTAMP,
    ),
)

WRITE_OFFS: Final = _book(
    "write_offs",
    *columns(
        entry_kind=VARCHAR,
        party_id=VARCHAR,
        break_id=VARCHAR,
        drift_cents=BIGINT,
        amount_cents=BIGINT,
        currency=VARCHAR,
        evidence_url=VARCHAR,
    ),
)

CERTIFICATIONS: Final = _book(
    "certifications",
    *columns(
        period=VARCHAR,
        verdict=VARCHAR,
        run_id=VARCHAR,
        packet_sha256=VARCHAR,
        figures_sha256=VARCHAR,
    ),
)

TRIAGE: Final = _book(
    "triage",
    *columns(
        break_id=VARCHAR,
        triage_status=VARCHAR,
        owner=VARCHAR,
        due_at=TIMESTAMP,
        note=VARCHAR,
        resolution=VARCHAR,
    ),
)

ERASURES: Final = _book(
    "erasures",
    *columns(open_items=BIGINT, expires_at=TIMESTAMP, batches=BIGINT, row_count=BIGINT),
)

# Movements of the platform that were an erased tenant's. The platform's balance holds them still,
# and nothing of the kernel's is left that could explain them.
ERASED_MOVEMENTS: Final = TableSpec(
    "tieout",
    "erased_movements",
    columns(
        tenant_id=VARCHAR,
        erasure_id=VARCHAR,
        movement_id=VARCHAR,
        balance_transaction_id=VARCHAR,
    ),
    key=("movement_id",),
)

CERTIFIED_FIGURES: Final = TableSpec(
    "tieout",
    "certified_figures",
    columns(
        certification_id=VARCHAR,
        tenant_id=VARCHAR,
        period=VARCHAR,
        currency=VARCHAR,
        figure=VARCHAR,
        amount_cents=BIGINT,
    ),
    key=("certification_id", "tenant_id", "period", "currency", "figure"),
    append_only=True,
)

RESTATEMENTS: Final = TableSpec(
    "tieout",
    "restatements",
    columns(
        certification_id=VARCHAR,
        tenant_id=VARCHAR,
        period=VARCHAR,
        currency=VARCHAR,
        figure=VARCHAR,
        certified_cents=BIGINT,
        restated_cents=BIGINT,
        run_id=VARCHAR,
        as_of=TIMESTAMP,
    ),
    key=("certification_id", "tenant_id", "period", "currency", "figure", "restated_cents"),
    append_only=True,
)

DEPARTURES: Final = _book("departures", *columns(account_id=VARCHAR))

AUDIT: Final = TableSpec(
    "tieout",
    "audit_log",
    columns(
        seq=BIGINT,
        tenant_id=VARCHAR,
        actor=VARCHAR,
        action=VARCHAR,
        subject=VARCHAR,
        at=TIMESTAMP,
        reason=VARCHAR,
        before=VARCHAR,
        after=VARCHAR,
        prev_hash=VARCHAR,
        entry_hash=VARCHAR,
        chain_status=VARCHAR,
    ),
    key=("seq",),
)

OPERATOR_TABLES: Final[tuple[TableSpec, ...]] = (
    OVERRIDES,
    WRITE_OFFS,
    CERTIFICATIONS,
    TRIAGE,
    ERASURES,
    ERASED_MOVEMENTS,
    DEPARTURES,
    CERTIFIED_FIGURES,
    RESTATEMENTS,
    AUDIT,
)
