"""What earlier runs saw: the day on which a break counts; what all of them find is told once."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

# Tenant: the outcome under which a run of three days ago saw what is a break now.
SEEN: dict[str, str] = {"waited_until_today": "pending", "broke_before_today": "break"}


@planted
def breaks_seen_before(world: World) -> None:
    """One old payout that the rail never saw, and a threshold of one break a day."""
    before = AS_OF - timedelta(days=3)
    world.own("run_log", run_id="earlier", as_of=before, known_at=before, started_at=before)
    for name, outcome in SEEN.items():
        tenant = f"t_seen_{name}"
        partner = Partner(world, tenant)
        key = partner.pay(5000, period="2026-02")
        partner.operation(key, 5000, "confirmed")
        partner.pay()
        partner.control("mismatch_threshold_count", "1")
        digest = hashlib.sha256(f"{tenant}|payout|{key}|USD".encode()).hexdigest()
        world.own(
            "breaks",
            run_id="earlier",
            as_of=before,
            tenant_id=tenant,
            break_id=f"brk_{digest[:24]}",
            outcome=outcome,
            reason_code="TIMING",
            lifecycle="new",
            drift_cents=5000,
            currency="USD",
            period="2026-02",
            first_seen_at=before,
            source_complete=True,
        )


@planted
def restated_by_two_runs(world: World) -> None:
    for days in (1, 2):
        world.own(
            "restatements",
            certification_id="crt_twice",
            tenant_id="t_restated",
            period="2026-02",
            currency="USD",
            figure="rail_gross",
            certified_cents=100,
            restated_cents=90,
            run_id=f"run_{days}_days_ago",
            as_of=AS_OF - timedelta(days=days),
        )


@pytest.mark.parametrize("name", SEEN)
def test_a_break_counts_on_the_day_it_became_one(warehouse: Warehouse, name: str) -> None:
    tenant, today = f"t_seen_{name}", SEEN[name] == "pending"
    days = warehouse.rows("select * from daily_mismatches where tenant_id = ?", tenant)
    counted = {row["day"]: row["mismatch_count"] for row in days}
    # What is still to be paid for March is late too; the gate leaves that out of its count.
    assert counted[f"{AS_OF:%Y-%m-%d}"] == (2 if today else 1)
    (payable,) = (key for key in warehouse.gates(tenant) if ":2026-03:" in key)
    assert ("DAILY_MISMATCH_THRESHOLD" in warehouse.held(tenant, payable)) is today


def test_a_restatement_that_every_run_finds_is_told_once(warehouse: Warehouse) -> None:
    rows = warehouse.rows("select * from restatements where certification_id = 'crt_twice'")
    assert [(row["run_id"], row["change_cents"]) for row in rows] == [("run_2_days_ago", -10)]
