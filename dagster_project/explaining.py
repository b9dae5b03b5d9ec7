"""The life of one thing in the books: both sides, each link, the rule that decided, what cures it.

Belongs here: which published rows belong to an id, followed one link in each direction. Does not
belong here: a join or a figure (the marts have them), or how it looks (`cli_explain.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_project.home import Home
from dagster_project.marts import Marts, Row
from ingest.errors import TieoutError

__all__ = ["Life", "life_of"]

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
# What follows from a key that rows have in common: by payout, by charge, by movement, by break.
_FOLLOWED: Final = (
    ("payout_key", "money_movements", "payout_key"),
    ("payout_key", "transfer_matches", "payout_key"),
    ("payout_key", "payout_sources", "payout_key"),
    ("payout_key", "payout_gates", "payout_key"),
    ("payout_key", "payout_submissions", "payout_key"),
    ("payout_key", "reconciliation_drift", "payout_key"),
    ("rail_object_id", "money_movements", "source_object_id"),
    ("charge_id", "money_movements", "charge_id"),
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


@dataclass
class Life:
    """Published rows about one id, by mart, each once.

    Attributes:
        identifier: What was asked for.
        named: Marts that name it themselves; the others are one link away.
        cut: Marts of which only the first rows are here.
    """

    identifier: str
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    named: list[str] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.identifier,
            "named_by": self.named,
            "cut": sorted(self.cut),
            **{mart: rows for mart, rows in self.rows.items() if rows},
        }

    def _add(self, mart: str, rows: Iterable[Row]) -> None:
        for row in rows:
            if row in self.rows[mart]:
                continue
            if len(self.rows[mart]) >= MAX_ROWS:
                self.cut.add(mart)
                return
            self.rows[mart].append(row)


def life_of(home: Home, identifier: str) -> Life:
    """Everything published about an id: of a movement, break, payout, receipt, settlement,
    adjustment, hold, transfer, charge, refund, dispute, operation, or of a person's act.

    Raises:
        TieoutError: No row names it.
    """
    life = Life(identifier)
    with Marts.published(home) as marts:
        present = set(marts.names())
        for mart, columns in _NAMED:
            if mart in present:
                for column in columns:
                    life._add(mart, marts.rows(mart, **{column: identifier}))
        life.named = [mart for mart, rows in life.rows.items() if rows]
        if not life.named:
            raise _unknown(identifier)
        # A receipt leads to its movement, the movement to its payout, the payout to its gate.
        for _ in range(2):
            _follow(life, marts, present)
        for key in _keys(life, "payout_key"):
            held = marts.rows("payout_gate_conditions", payout_key=key[1], tenant_id=key[0])
            life._add("payout_gate_conditions", (row for row in held if row["holds"]))
    return life


def _follow(life: Life, marts: Marts, present: set[str]) -> None:
    for source, mart, column in _FOLLOWED:
        if mart not in present:
            continue
        for tenant, value in _keys(life, source):
            # Ids of the kernel are unique only within a tenant.
            life._add(mart, marts.rows(mart, **{column: value, "tenant_id": tenant}))


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
        expected="the id of a movement, break, payout, receipt, settlement, adjustment, transfer, "
        "charge, refund, dispute or operation",
        remedy="Look ids up with `tieout drift` or in published/current.duckdb; run again if it "
        "is new",
        code="id_unknown",
    )
