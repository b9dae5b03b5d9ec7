"""Earlier publications of some corrupted tenants, landed as their close-outs would have.

Belongs here: rows of breaks and runs before this one, and the ids they are about. Does not belong
here: what must follow from them (test_mutation.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from tests.mutation.landed import Tables

__all__ = ["AGED_DAYS", "CARRIED", "RESOLVED", "break_id", "land_history"]

RESOLVED, CARRIED = "brk_resolved", "brk_carried"
# Calendar days since items were due, of which each is due at its day's first and last instant.
AGED_DAYS = (0, 1, 2, 7, 8, 30, 31, 400)


def break_id(tenant_id: str, kind: str, key: str, currency: str) -> str:
    """The stable id of a break: a hash of tenant, kind, key and currency, never of its code."""
    text = "|".join((tenant_id, kind, key, currency))
    return f"brk_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def land_history(tables: Tables, payout_keys: Mapping[str, str], now: datetime) -> None:
    """Two earlier runs, of which the newer one saw some breaks of today and some others.

    Args:
        payout_keys: Key of the corrupted payout by kind.
    """
    for run_id, days in (("run_a", 5), ("run_b", 2)):
        at = now - timedelta(days=days)
        tables.rows["tieout/run_log"].append(
            {"run_id": run_id, "as_of": at, "known_at": at, "started_at": at}
        )

    def seen(
        run_id: str,
        days: int,
        tenant_id: str,
        named: str,
        outcome: str = "break",
        expected_by: datetime | None = None,
    ) -> None:
        tables.rows["tieout/breaks"].append(
            {
                "run_id": run_id,
                "as_of": now - timedelta(days=days),
                "tenant_id": tenant_id,
                "break_id": named,
                "outcome": outcome,
                "reason_code": "MISSING_EXTERNAL" if outcome == "break" else "TIMING",
                "drift_cents": 4_200,
                "expected_cents": 4_200,
                "actual_cents": 0,
                "currency": "USD",
                "period": "2026-10",
                "expected_by": expected_by,
                "first_seen_at": now - timedelta(days=5),
                "lifecycle": "new" if run_id == "run_a" else "persisting",
                "source_complete": True,
            }
        )

    def payout(kind: str) -> tuple[str, str]:
        tenant_id = f"m0_{kind}"
        return tenant_id, break_id(tenant_id, "payout", payout_keys[kind], "USD")

    seen("run_a", 5, *payout("transfer_missing"), outcome="pending")
    seen("run_b", 2, *payout("transfer_missing"))
    seen("run_a", 5, *payout("split_part_short"))
    seen("run_b", 2, "m0_references_stripped", RESOLVED)
    seen("run_b", 2, "m0_transfer_unread", CARRIED)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for age in AGED_DAYS:
        first = today - timedelta(days=age)
        last = first + timedelta(days=1, microseconds=-1)
        for edge, due in (("first", first), ("last", last)):
            seen("run_b", 2, "m0_transfer_unread", f"brk_aged_{age}_{edge}", expected_by=due)
