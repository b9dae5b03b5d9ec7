"""What earlier runs saw: the day on which a break counts; what all of them find is told once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.identities import iso
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner
from tests.gates.test_overrides import broken, seen
from tests.mutation.history import break_id as id_of

# When the two publications before the build were.
EARLIER = AS_OF - timedelta(days=3)
LATER = AS_OF - timedelta(days=2)
# Tenant: as what a run of three days ago saw a break of 5000 of now, and its drift then.
SEEN: dict[str, tuple[str, int]] = {
    "waited_until_today": ("pending", 5000),
    "broke_before_today": ("break", 5000),
    "broke_and_is_less_now": ("break", 9000),
    "broke_and_is_more_now": ("break", 2000),
}


@planted
def breaks_seen_before(world: World) -> None:
    """One old payout that the rail never saw, and a threshold of one break a day."""
    world.own("run_log", run_id="earlier", as_of=EARLIER, known_at=EARLIER, started_at=EARLIER)
    for name, (outcome, drift_cents) in SEEN.items():
        tenant = f"t_seen_{name}"
        partner = Partner(world, tenant)
        key = partner.pay(5000, period="2026-02")
        partner.operation(key, 5000, "confirmed")
        partner.pay()
        partner.control("mismatch_threshold_count", "1")
        world.own(
            "breaks",
            run_id="earlier",
            as_of=EARLIER,
            tenant_id=tenant,
            break_id=id_of(tenant, "payout", key, "USD"),
            outcome=outcome,
            reason_code="TIMING",
            lifecycle="new",
            drift_cents=drift_cents,
            currency="USD",
            period="2026-02",
            first_seen_at=EARLIER,
            source_complete=True,
        )


@planted
def a_payout_seen_while_it_waited(world: World) -> None:
    partner = Partner(world, "t_seen_waiting")
    generated = AS_OF - timedelta(days=3, hours=12)
    key = partner.pay(5000, period="2026-02", instruction={"generatedAt": iso(generated)})
    partner.operation(key, 5000, "confirmed")
    world.own(
        "breaks",
        run_id="earlier",
        as_of=EARLIER,
        tenant_id=partner.tenant,
        break_id=id_of(partner.tenant, "payout", key, "USD"),
        outcome="pending",
        reason_code="TIMING",
        lifecycle="new",
        drift_cents=5000,
        currency="USD",
        period="2026-02",
        first_seen_at=EARLIER,
        source_complete=True,
    )


def test_a_task_is_due_from_the_day_its_break_was_overdue(warehouse: Warehouse) -> None:
    (row,) = warehouse.rows(
        "select * from mismatch_triage where tenant_id = 't_seen_waiting'"
        " and reason_code = 'MISSING_EXTERNAL'"
    )
    overdue = AS_OF.replace(tzinfo=None) - timedelta(hours=12)
    assert row["due_at"] == overdue + timedelta(days=row["priority"])


# Tenant: what a publication of two days ago showed of the break, how many days ago its override was
# proposed, and why that is void. Its drift is 5000, then as now.
ACCEPTED: dict[str, tuple[dict[str, object], int, str | None]] = {
    "same": ({}, 3, None),
    "other_drift_since": ({"drift_cents": 4000}, 3, "drift_changed"),
    "other_sign_since": ({"drift_cents": -5000}, 3, "drift_changed"),
    "resolved_since": ({"lifecycle": "resolved", "outcome": "ok"}, 3, "drift_changed"),
    "other_reason_since": ({"reason_code": "SOURCE_INCOMPLETE"}, 3, None),
    "other_drift_before": ({"drift_cents": 4000}, 1, None),
}


@planted
def overrides_that_outlived_their_drift(world: World) -> None:
    world.own("run_log", run_id="later", as_of=LATER, known_at=LATER, started_at=LATER)
    for name, (shown, days, _) in ACCEPTED.items():
        tenant = f"t_accepted_{name}"
        partner, break_id = broken(world, tenant)
        about = {
            "break_id": break_id,
            "reason_code": "MISSING_EXTERNAL",
            "drift_cents": 5000,
            "currency": "USD",
        }
        row = {
            "run_id": "later",
            "as_of": LATER,
            "tenant_id": tenant,
            "outcome": "break",
            "lifecycle": "persisting",
            "period": "2026-02",
            "first_seen_at": LATER,
            "source_complete": True,
            **about,
            **shown,
        }
        world.own("breaks", **row)
        proposal = {
            **about,
            "amount_cents": 5000,
            "evidence_url": "https://tickets.example/1",
            "expires_at": AS_OF + timedelta(days=1),
        }
        at = AS_OF - timedelta(days=days)
        partner.act("overrides", "propose", f"ovr_{name}", at=at, **proposal)
        partner.act("overrides", "approve", f"ovr_{name}", by="op_b", at=at)


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_override_is_over_for_good_once_its_drift_was_another(
    warehouse: Warehouse, name: str
) -> None:
    tenant, code = f"t_accepted_{name}", ACCEPTED[name][2]
    (row,) = warehouse.rows("select * from overrides where override_id = ?", f"ovr_{name}")
    assert (row["override_status"], row["void_code"]) == ("void" if code else "effective", code)
    (payable,) = (key for key in warehouse.gates(tenant) if ":2026-03:" in key)
    assert ("OPEN_BREAK" in warehouse.held(tenant, payable)) is bool(code)


# Tenant: what an evaluation held the payout for after OPEN_BREAK was lifted, whether that ended it.
LIFTED: dict[str, tuple[str | None, bool]] = {
    "held_by_nothing": (None, False),
    "held_by_another": ("EVIDENCE_STALE", False),
    "held_by_it_again": ("EVIDENCE_STALE,OPEN_BREAK", True),
}


@planted
def conditions_that_held_although_they_were_lifted(world: World) -> None:
    for name, (codes, _) in LIFTED.items():
        partner, break_id = broken(world, f"t_lifted_{name}")
        key = partner.key("2026-03")
        world.own(
            "gate_evaluations",
            run_id="later",
            tenant_id=partner.tenant,
            payout_key=key,
            decision="hold" if codes else "release",
            held_codes=codes,
            as_of=LATER,
        )
        proposal = {
            "payout_key": key,
            "condition_code": "OPEN_BREAK",
            "observed": seen(break_id),
            "currency": "USD",
            "amount_cents": 10_000,
            "evidence_url": "https://tickets.example/1",
            "expires_at": AS_OF + timedelta(days=1),
        }
        at = AS_OF - timedelta(days=3)
        partner.act("overrides", "propose", f"ovr_{name}", at=at, **proposal)
        partner.act("overrides", "approve", f"ovr_{name}", by="op_b", at=at)


@pytest.mark.parametrize("name", LIFTED)
def test_a_condition_that_held_once_more_is_lifted_no_longer(
    warehouse: Warehouse, name: str
) -> None:
    ended = LIFTED[name][1]
    (row,) = warehouse.rows("select * from overrides where override_id = ?", f"ovr_{name}")
    assert row["void_code"] == ("drift_changed" if ended else None)
    (payable,) = (key for key in warehouse.gates(f"t_lifted_{name}") if ":2026-03:" in key)
    assert ("OPEN_BREAK" in warehouse.held(f"t_lifted_{name}", payable)) is ended


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
    (outcome, drift_cents), tenant = SEEN[name], f"t_seen_{name}"
    today = outcome == "pending"
    days = warehouse.rows("select * from daily_mismatches where tenant_id = ?", tenant)
    counted = {row["day"]: row["mismatch_count"] for row in days}
    # What is still to be paid for March is late too; the gate leaves that out of its count.
    assert counted[f"{AS_OF:%Y-%m-%d}"] == (2 if today else 1)
    (payable,) = (key for key in warehouse.gates(tenant) if ":2026-03:" in key)
    assert ("DAILY_MISMATCH_THRESHOLD" in warehouse.held(tenant, payable)) is today
    gross = {row["day"]: row["gross_drift_cents"] for row in days}
    if not today:
        assert gross[f"{AS_OF - timedelta(days=3):%Y-%m-%d}"] == max(drift_cents, 5000)


def test_a_restatement_that_every_run_finds_is_told_once(warehouse: Warehouse) -> None:
    rows = warehouse.rows("select * from restatements where certification_id = 'crt_twice'")
    assert [(row["run_id"], row["change_cents"]) for row in rows] == [("run_2_days_ago", -10)]
