"""What a tenant has in a home's landing, quarantine and spool, counted and taken out.

Belongs here: which rows are a tenant's, which stay although they name it, and taking the others out
so that it may be done again after any crash. Does not belong here: how one batch is rewritten
(`ingest.rewriting`), who may decide it (`ingest.controls`), or what must be settled first
(`dagster_project.erasing`).

A kernel row is its tenant's. A row of the rail belongs to the account whose list showed it: rows of
connected accounts that this tenant alone claims are its own, rows of the platform's lists are the
platform's books, which tie out only as a whole, and Stripe would show them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from ingest.controls import AUDIT, DEPARTURES, ERASED_MOVEMENTS, ERASURES
from ingest.files import publish_bytes, remove
from ingest.folds import remove_folds
from ingest.kernel.rail_types import CONNECT_ACCOUNTS
from ingest.landing import Landing
from ingest.parquet import sql_text
from ingest.stripe.endpoints import ABOUT_ACCOUNTS
from ingest.tables import (
    COVERAGE,
    GATE_EVALUATIONS,
    PACKETS,
    PAYOUT_JOURNAL,
    QUARANTINE,
    BatchManifest,
    Erased,
    TableSpec,
)

__all__ = [
    "STAYING",
    "Share",
    "Subject",
    "erase_rows",
    "erased_so_far",
    "land_erased_movements",
    "quarantined_lines",
    "shares_of",
]

STAYING: Final = (
    AUDIT,
    DEPARTURES,
    ERASED_MOVEMENTS,
    ERASURES,
    GATE_EVALUATIONS,
    PACKETS,
    PAYOUT_JOURNAL,
)
"""Landed tables that keep the tenant's rows: they say what was done, as the signed files do."""


@dataclass(frozen=True)
class Subject:
    """Whose rows they are.

    Attributes:
        accounts: Connected accounts that the tenant alone claims.
        shared: Accounts that another tenant claims too.
    """

    tenant_id: str
    accounts: tuple[str, ...]
    shared: tuple[str, ...] = ()

    @classmethod
    def of(cls, landing: Landing, tenant_id: str) -> Subject:
        """The tenant with its accounts, as the kernel's landed exports map them."""
        claims: dict[str, set[str]] = {}
        for tenant, account in landing.distinct(CONNECT_ACCOUNTS.spec, ("tenant_id", "account_id")):
            claims.setdefault(str(account), set()).add(str(tenant))
        mine = sorted(account for account, tenants in claims.items() if tenant_id in tenants)
        return cls(
            tenant_id,
            tuple(account for account in mine if len(claims[account]) == 1),
            tuple(account for account in mine if len(claims[account]) > 1),
        )

    def owns(self, entry: dict[str, Any]) -> bool:
        """Whether a quarantined entry is the tenant's; the rail's lie under their account."""
        place = str(entry.get("source_file")).split("/")
        of_rail = place[0] == "stripe" and len(place) > 1 and place[1] in self.accounts
        return entry.get("tenant_id") == self.tenant_id or of_rail

    def condition(self, spec: TableSpec) -> str | None:
        """The SQL condition for the tenant's rows of a table; None where none of them goes."""
        if spec in STAYING:
            return None
        names = {column.name for column in spec.columns}
        accounts = ", ".join(map(sql_text, self.accounts)) or "null"
        parts = [f"tenant_id = {sql_text(self.tenant_id)}"] if "tenant_id" in names else []
        if spec.source == "stripe" or spec is COVERAGE:
            parts.append(f"account_id in ({accounts})")
        if spec.name in ABOUT_ACCOUNTS:
            parts.append(f'"{ABOUT_ACCOUNTS[spec.name]}" in ({accounts})')
        if spec is QUARANTINE:
            parts.append(f"(source = 'stripe' and split_part(source_file, '/', 2) in ({accounts}))")
        return f"({' or '.join(parts)})" if parts else None


@dataclass(frozen=True)
class Share:
    """A tenant's part of one landed table: rows by batch."""

    spec: TableSpec
    rows: dict[str, int]

    @property
    def total(self) -> int:
        """Rows over all batches."""
        return sum(self.rows.values())


def shares_of(landing: Landing, specs: Iterable[TableSpec], subject: Subject) -> list[Share]:
    """What would go, by table; tables without any row of the tenant are left out."""
    found: list[Share] = []
    for spec in specs:
        condition = subject.condition(spec)
        if condition is not None:
            query = f"select batch_id, count(*) from landed where {condition} group by 1 order by 1"
            counted = landing.query(query, landed=spec)
            rows = {str(batch_id): int(str(number)) for batch_id, number in counted}
            found += [Share(spec, rows)] if rows else []
    return found


def erase_rows(
    landing: Landing,
    shares: Sequence[Share],
    subject: Subject,
    *,
    erasure_id: str,
    at: datetime,
) -> None:
    """Takes a tenant's rows out of every batch and quarantine file, inside `Landing.alone`.

    What was taken out before a crash is in no share any more: doing it again does the rest. Folds
    go first and whole, since they hold copies.
    """
    remove_folds(landing.home)
    for path in _quarantined(landing.home, subject):
        lines = path.read_bytes().splitlines()
        left = [line for line in lines if not subject.owns(orjson.loads(line))]
        if left:
            publish_bytes(b"".join(line + b"\n" for line in left), path)
        else:
            remove(path)
    for share in shares:
        condition = str(subject.condition(share.spec))
        for batch_id, rows in share.rows.items():

            def erased(before: BatchManifest, rows: int = rows) -> Erased:
                digest = before.ndjson_sha256
                return Erased(erasure_id, subject.tenant_id, at, rows, digest)

            landing.erase(landing.manifest(share.spec, batch_id), condition, erased)


def land_erased_movements(
    landing: Landing,
    movement_ids: Iterable[str],
    subject: Subject,
    *,
    erasure_id: str,
    batch_id: str,
    at: datetime,
) -> None:
    """Lands which movements of the platform were the tenant's until now: `<account>:<id>`."""
    rows = (
        {
            "tenant_id": subject.tenant_id,
            "erasure_id": erasure_id,
            "movement_id": movement_id,
            "balance_transaction_id": movement_id.partition(":")[2],
        }
        for movement_id in movement_ids
    )
    landing.write(ERASED_MOVEMENTS, rows, batch_id=batch_id, received_at=at)


def erased_so_far(landing: Landing, erasure_id: str) -> tuple[int, int]:
    """Batches and rows that an erasure has taken out, over all its attempts."""
    records = [
        record
        for batch in landing.committed()
        for record in batch.erased
        if record.erasure_id == erasure_id
    ]
    return len(records), sum(record.rows for record in records)


def quarantined_lines(home: Path, subject: Subject) -> int:
    """Lines of quarantine files that are the tenant's."""
    return sum(
        subject.owns(orjson.loads(line))
        for path in _quarantined(home, subject)
        for line in path.read_bytes().splitlines()
    )


def _quarantined(home: Path, subject: Subject) -> Iterator[Path]:
    for path in sorted((home / "quarantine").glob("*/*/*.jsonl")):
        if any(subject.owns(orjson.loads(line)) for line in path.read_bytes().splitlines()):
            yield path
