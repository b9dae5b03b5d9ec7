"""The life of one thing in the books: both sides, each link, the rule that decided, what cures it.

Belongs here: which published rows belong to an id, followed one link in each direction, and how
earlier publications told its breaks. Does not belong here: a join or a figure (the marts have
them), or how it looks (`cli_explain.py`).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_project.home import Home
from dagster_project.marts import Marts, Row
from ingest.controls import TRIAGE_BOOK
from ingest.errors import TieoutError
from ingest.landing import Landing
from ingest.tables import BREAKS

__all__ = ["HISTORY", "Life", "lives_of"]

MAX_ROWS: Final = 200

# Where a person may find an id, and under which name.
_NAMED: Final = (
    ("money_movements", ("movement_id", "source_object_id", "charge_id", "counter_movement_id")),
    ("reconciliation_drift", ("break_id", "rail_object_id", "kernel_object_id")),
    ("payout_gates", ("payout_key", "operation_id", "artifact_hash")),
    ("payout_submissions", ("transfer_id", "operation_id", "idempotency_key")),
    ("transfer_matches", ("transfer_id",)),
    ("movement_references", ("source_id", "receipt_id", "settlement_id", "adjustment_id")),
    ("source_positions", ("source_id", "receipt_id", "settlement_id", "adjustment_id")),
    ("payout_sources", ("source_id",)),
    ("artifact_verdicts", ("artifact_id",)),
    ("overrides", ("override_id",)),
    ("write_offs", ("write_off_id",)),
    ("period_certifications", ("certification_id",)),
    ("run_packets", ("packet_sha256",)),
)
# A movement is an account and its balance transaction, of which people have the latter alone.
_NAMED_BY_TRANSACTION: Final = ("movement_id", "counter_movement_id")
# Lines of triage are published in the audit trail alone, which tells of which break they are.
_TRIAGE_LINE: Final = f"{TRIAGE_BOOK.prefix}_"
# What follows from a key that rows have in common: by payout, by charge, by movement, by break.
_FOLLOWED: Final = (
    ("payout_key", "money_movements", "payout_key"),
    ("payout_key", "transfer_matches", "payout_key"),
    ("payout_key", "match_groups", "match_key"),
    ("payout_key", "payout_sources", "payout_key"),
    ("payout_key", "payout_gates", "payout_key"),
    ("payout_key", "payout_submissions", "payout_key"),
    ("payout_key", "reconciliation_drift", "payout_key"),
    ("rail_object_id", "money_movements", "source_object_id"),
    ("charge_id", "money_movements", "charge_id"),
    ("charge_id", "match_groups", "match_key"),
    ("charge_id", "reconciliation_drift", "rail_object_id"),
    ("movement_id", "movement_references", "movement_id"),
    ("movement_id", "money_movements", "movement_id"),
    ("source_object_id", "transfer_matches", "transfer_id"),
    ("source_object_id", "reconciliation_drift", "rail_object_id"),
    ("receipt_id", "source_positions", "receipt_id"),
    ("source_id", "source_positions", "source_id"),
    ("break_id", "mismatch_triage", "break_id"),
    ("break_id", "overrides", "break_id"),
    ("break_id", "write_offs", "break_id"),
)
# A payout is made of many sources. Who asks for one of them is told its own share of the payout.
_SOURCES: Final = ("source_positions", "movement_references")
# What publications said of breaks, where it changed; a break that is over is published no more.
HISTORY: Final = "break_history"
_TOLD: Final = (
    *("tenant_id", "break_id", "as_of", "lifecycle", "outcome", "reason_code", "drift_cents"),
    *("currency", "payout_key", "rail_object_id", "kernel_object_id"),
)
_HISTORY: Final = """
select {told} from (
    select *, row(lifecycle, outcome, reason_code, drift_cents) as said from breaks
    where break_id in ({ids})
)
qualify coalesce(
    said <> lag(said) over (partition by tenant_id, break_id order by as_of, run_id), true
)
order by as_of, run_id
"""
_BREAK_ID: Final = re.compile(r"brk_[0-9a-f]{24}")
# Movements that leave a party owing something.
_OWING: Final = ("dispute", "dispute_reversal", "refund")


@dataclass
class Life:
    """Published rows of one tenant about one id, by mart, each once.

    Attributes:
        identifier: What was asked for.
        tenant_id: Whose; ids of the kernel are unique only within a tenant.
        named: Marts that name it themselves; the others are one link away.
        cut: Marts of which only the first rows are here.
    """

    identifier: str
    tenant_id: str
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    named: list[str] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.identifier,
            "tenant_id": self.tenant_id,
            "named_by": self.named,
            "cut": sorted(self.cut),
            **{mart: rows for mart, rows in self.rows.items() if rows},
        }

    def add(self, mart: str, rows: Iterable[Row]) -> None:
        """Adds rows that are not there yet, up to the bound of a mart."""
        for row in rows:
            if row in self.rows[mart]:
                continue
            if len(self.rows[mart]) >= MAX_ROWS:
                self.cut.add(mart)
                return
            self.rows[mart].append(row)


def lives_of(home: Home, identifier: str, tenant_id: str | None = None) -> list[Life]:
    """Everything published about an id: of a movement or its balance transaction, of a break,
    payout, receipt, settlement, adjustment, hold, transfer, charge, refund, dispute, operation, or
    of a person's act.

    Returns:
        One life a tenant that names it, by tenant.

    Raises:
        TieoutError: No row names it.
    """
    lives: dict[str, Life] = {}
    with Marts.published(home) as marts:
        present = set(marts.names())
        for mart, row in _naming(marts, present, identifier, tenant_id):
            tenant = str(row["tenant_id"])
            lives.setdefault(tenant, Life(identifier, tenant)).add(mart, [row])
        for row in _history(home, [identifier]):
            tenant = str(row["tenant_id"])
            if tenant_id in (None, tenant):
                lives.setdefault(tenant, Life(identifier, tenant)).add(HISTORY, [row])
        if not lives:
            raise _unknown(identifier)
        for life in lives.values():
            _complete(life, marts, present)
            found = {str(row["break_id"]) for row in life.rows["reconciliation_drift"]}
            told = _history(home, sorted(found - {identifier}))
            life.add(HISTORY, (row for row in told if row["tenant_id"] == life.tenant_id))
    return [lives[tenant] for tenant in sorted(lives)]


def _naming(
    marts: Marts, present: set[str], identifier: str, tenant_id: str | None
) -> Iterator[tuple[str, Row]]:
    """Rows that name an id, each with its mart."""
    for mart, columns in _NAMED:
        for column in columns if mart in present else ():
            for row in marts.rows(mart, tenant_id=tenant_id, **{column: identifier}):
                yield mart, row
    for column in _NAMED_BY_TRANSACTION if identifier else ():
        for row in marts.rows_ending(
            "money_movements", column, f":{identifier}", tenant_id=tenant_id
        ):
            yield "money_movements", row
    if identifier.startswith(_TRIAGE_LINE) and "audit_log" in present:
        for row in marts.rows("audit_log", tenant_id=tenant_id, subject=identifier):
            yield "audit_log", row


def _history(home: Home, break_ids: Sequence[str]) -> list[Row]:
    """What publications said of breaks, oldest first, each time it was something else."""
    ids = ", ".join(f"'{id_}'" for id_ in break_ids if _BREAK_ID.fullmatch(id_))
    if not ids:
        return []
    query = _HISTORY.format(told=", ".join(_TOLD), ids=ids)
    rows = Landing(home.root).query(query, breaks=BREAKS)
    return [dict(zip(_TOLD, row, strict=True)) for row in rows]


def _complete(life: Life, marts: Marts, present: set[str]) -> None:
    life.named = [mart for mart, rows in life.rows.items() if rows]
    for break_id in filter(None, map(_break_of, life.rows["audit_log"])):
        mart = "reconciliation_drift"
        life.add(mart, marts.rows(mart, break_id=break_id, tenant_id=life.tenant_id))
    is_source = any(life.rows[mart] for mart in _SOURCES)
    # A receipt leads to its movement, the movement to its payout, the payout to its gate.
    for _ in range(2):
        _follow(life, marts, present, skipped=_SOURCES if is_source else ())
    for _, payout_key in _keys(life, "payout_key"):
        mart = "payout_gate_conditions"
        holding = marts.rows(mart, payout_key=payout_key, tenant_id=life.tenant_id, holds=True)
        life.add(mart, holding)
    owing = {
        (row["party_id"], row["currency"])
        for row in life.rows["money_movements"]
        if row["movement_type"] in _OWING and row["party_id"] is not None
    }
    for party_id, currency in sorted(owing):
        of = {"tenant_id": life.tenant_id, "party_id": party_id, "currency": currency}
        life.add("chargeback_exposure", marts.rows("chargeback_exposure", **of))


def _follow(life: Life, marts: Marts, present: set[str], skipped: Sequence[str]) -> None:
    for source, mart, column in _FOLLOWED:
        if mart not in present or mart in skipped:
            continue
        for tenant, value in _keys(life, source):
            # Ids of the kernel are unique only within a tenant.
            life.add(mart, marts.rows(mart, **{column: value, "tenant_id": tenant}))


def _break_of(act: Row) -> str | None:
    """The break that a line of triage is about; a void line says only why it is void."""
    try:
        return str(json.loads(act["after"])["break_id"])
    except (ValueError, TypeError, KeyError):
        return None


def _keys(life: Life, column: str) -> list[tuple[str, str]]:
    found = {
        (str(row["tenant_id"]), str(row[column]))
        for mart, rows in life.rows.items()
        # What a person did about a condition of a payout is no link between two things.
        if mart not in ("overrides", "write_offs")
        for row in rows
        if row.get(column) not in (None, "none")
    }
    return sorted(found)[:MAX_ROWS]


def _unknown(identifier: str) -> TieoutError:
    return TieoutError(
        got=f"no published row that names {identifier[:120]!r}",
        expected="the id of a movement, balance transaction, break, payout, receipt, settlement, "
        "adjustment, transfer, charge, refund, dispute, operation, override, write-off, "
        "certification or line of triage",
        remedy="Look ids up with `tieout drift` or in published/current.duckdb; run again if it "
        "is new",
        code="id_unknown",
    )
