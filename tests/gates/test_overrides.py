"""An override lifts what two people accepted, at that amount, until its end, and nothing else."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

DAY = timedelta(days=1)
OPEN = {"drift_cents": 5000, "amount_cents": 5000, "reason_code": "MISSING_EXTERNAL"}

# Tenant: what the proposal says other than it should, who approves, the void code.
CASES: dict[str, tuple[dict[str, Any], str | None, str | None]] = {
    "two_people": ({}, "op_b", None),
    "more_than_enough": ({"amount_cents": 9000}, "op_b", None),
    "one_person": ({}, "op_a", "self_approved"),
    "too_little": ({"amount_cents": 4999}, "op_b", "over_amount"),
    "other_drift": ({"drift_cents": 4000}, "op_b", "drift_changed"),
    "other_sign": ({"drift_cents": -5000}, "op_b", "drift_changed"),
    "other_reason": ({"reason_code": "AMOUNT_UNDER"}, "op_b", "drift_changed"),
    "other_currency": ({"currency": "EUR"}, "op_b", "drift_changed"),
    "ended": ({"expires_at": AS_OF - DAY / 2}, "op_b", "expired"),
    "ends_now": ({"expires_at": AS_OF}, "op_b", "expired"),
    "nobody": ({}, None, None),
}


def broken(world: World, tenant: str) -> tuple[Partner, str]:
    """A party with a payout to release, and an older one that the rail never saw."""
    partner = Partner(world, tenant)
    key = partner.pay(5000, period="2026-02")
    partner.operation(key, 5000, "confirmed")
    partner.pay()
    digest = hashlib.sha256(f"{tenant}|payout|{key}|USD".encode()).hexdigest()
    return partner, f"brk_{digest[:24]}"


def proposal(break_id: str, **over: Any) -> dict[str, Any]:
    return {
        "break_id": break_id,
        "currency": "USD",
        "evidence_url": "https://tickets.example/1",
        "expires_at": AS_OF + DAY,
        **OPEN,
        **over,
    }


@planted
def overridden(world: World) -> None:
    for name, (over, approver, _) in CASES.items():
        tenant = f"t_override_{name}"
        partner, break_id = broken(world, tenant)
        partner.act("overrides", "propose", f"ovr_{name}", **proposal(break_id, **over))
        if approver is not None:
            partner.act("overrides", "approve", f"ovr_{name}", by=approver)
    partner, break_id = broken(world, "t_override_revoked")
    partner.two_people("overrides", "ovr_revoked", **proposal(break_id))
    partner.act("overrides", "revoke", "ovr_revoked", by="op_c")
    partner, break_id = broken(world, "t_override_late")
    partner.act("overrides", "propose", "ovr_late", **proposal(break_id))
    partner.act("overrides", "approve", "ovr_late", by="op_b", at=AS_OF + DAY)
    partner, break_id = broken(world, "t_override_of_others")
    stranger, _ = broken(world, "t_override_stranger")
    stranger.two_people("overrides", "ovr_stranger", **proposal(break_id))
    partner, _ = broken(world, "t_override_switch")
    partner.control("payout_kill_switch", "true", action="kill")
    (march,) = (row for row in [partner.key("2026-03")])
    partner.two_people(
        "overrides",
        "ovr_switch",
        payout_key=march,
        condition_code="PAYOUT_KILL_SWITCH_ACTIVE",
        observed="true",
        amount_cents=10**9,
        currency="USD",
        evidence_url="https://tickets.example/2",
        expires_at=AS_OF + DAY,
    )


def seen(*break_ids: str, drift: int = 5000) -> str:
    """What OPEN_BREAK observes of breaks without a counterpart, as an operator reads it."""
    ids = sorted(break_ids)
    told = ",".join(f"{one}|{drift}|{abs(drift)}|USD" for one in ids)
    digest = hashlib.sha256(f"{told}|".encode()).hexdigest()
    return f"{ids[0]}, {len(ids)} open, {digest[:12]}"


# Tenant: what the proposal says other than it should, the void code.
LIFTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "lifted": ({}, None),
    "lifted_too_little": ({"amount_cents": 999}, "over_amount"),
    "lifted_elsewhere": ({"observed": "brk_other"}, "drift_changed"),
    # Only the first of the breaks would be the same, with another drift or beside another break.
    "lifted_at_other_drift": ({"drift": 4999}, "drift_changed"),
    "lifted_with_another": ({"others": ("brk_" + "f" * 24,)}, "drift_changed"),
    "lifted_other_code": ({"condition_code": "EVIDENCE_STALE"}, "not_overridable"),
}
# Tenant: the drift that is written off, the verdict of its month, the write-off's void code.
WRITTEN: dict[str, tuple[int, str, str | None]] = {
    "given_up": (5000, "reconciled_with_warnings", None),
    "given_up_in_part": (4999, "breaks", "drift_changed"),
    "given_up_the_other_way": (-5000, "breaks", "drift_changed"),
}


@planted
def lifted_and_written_off(world: World) -> None:
    for name, (changed, _) in LIFTS.items():
        over = dict(changed)
        partner, break_id = broken(world, f"t_{name}")
        said_of = {"drift": over.pop("drift", 5000)}
        said = {
            "payout_key": partner.key("2026-03"),
            "condition_code": "OPEN_BREAK",
            "observed": seen(break_id, *over.pop("others", ()), **said_of),
            "amount_cents": 10_000,
            "currency": "USD",
            "evidence_url": "https://tickets.example/3",
            "expires_at": AS_OF + DAY,
        }
        partner.two_people("overrides", f"ovr_{name}", **{**said, **over})
    for name, (drift, _, _) in WRITTEN.items():
        partner, break_id = broken(world, f"t_{name}")
        partner.two_people(
            "write_offs",
            f"wof_{name}",
            entry_kind="write_off",
            break_id=break_id,
            drift_cents=drift,
            amount_cents=abs(drift),
            currency="USD",
        )
    partner, _ = broken(world, "t_given_up_and_gone")
    partner.two_people(
        "write_offs",
        "wof_given_up_and_gone",
        entry_kind="write_off",
        break_id="brk_" + "0" * 24,
        drift_cents=1,
        amount_cents=1,
        currency="USD",
    )


@planted
def written_off_after_its_revocation(world: World) -> None:
    """A debt whose write-off was taken back before the second person's approval came."""
    partner, _ = broken(world, "t_approved_too_late")
    partner.act(
        *("write_offs", "propose", "wof_late"),
        entry_kind="write_off",
        party_id=partner.party,
        amount_cents=700,
        currency="USD",
    )
    partner.act("write_offs", "revoke", "wof_late", by="op_c")
    partner.act("write_offs", "approve", "wof_late", by="op_b")


def shown(warehouse: Warehouse, override_id: str) -> tuple[str, str | None]:
    (row,) = warehouse.rows("select * from overrides where override_id = ?", override_id)
    return row["override_status"], row["void_code"]


def march(warehouse: Warehouse, tenant: str) -> set[str]:
    (key,) = (key for key in warehouse.gates(tenant) if ":2026-03:" in key)
    return warehouse.held(tenant, key)


@pytest.mark.parametrize("name", CASES)
def test_an_override_counts_only_as_two_people_approved_it(warehouse: Warehouse, name: str) -> None:
    _, approver, code = CASES[name]
    status = "proposed" if approver is None else "void" if code else "effective"
    assert shown(warehouse, f"ovr_{name}") == (status, code)
    held = march(warehouse, f"t_override_{name}")
    assert held == (set() if status == "effective" else {"OPEN_BREAK"})


def test_the_drift_names_its_override_and_stays_a_break(warehouse: Warehouse) -> None:
    drift = warehouse.rows(
        "select * from reconciliation_drift "
        "where override_id is not null and starts_with(tenant_id, 't_override_')"
    )
    assert {row["override_id"] for row in drift} == {"ovr_two_people", "ovr_more_than_enough"}
    assert {row["outcome"] for row in drift} == {"break"}
    verdicts = warehouse.rows(
        "select verdict from reconciliation_runs "
        "where tenant_id = 't_override_two_people' and period = '2026-02'"
    )
    assert [row["verdict"] for row in verdicts] == ["breaks"]


def test_a_revocation_ends_it(warehouse: Warehouse) -> None:
    assert shown(warehouse, "ovr_revoked") == ("revoked", None)
    assert march(warehouse, "t_override_revoked") == {"OPEN_BREAK"}


def test_an_approval_after_the_as_of_is_not_known_yet(warehouse: Warehouse) -> None:
    assert shown(warehouse, "ovr_late") == ("proposed", None)
    assert march(warehouse, "t_override_late") == {"OPEN_BREAK"}


def test_a_tenant_overrides_its_own_breaks_only(warehouse: Warehouse) -> None:
    assert shown(warehouse, "ovr_stranger") == ("void", "break_gone")
    assert march(warehouse, "t_override_of_others") == {"OPEN_BREAK"}


def test_a_switch_cannot_be_overridden(warehouse: Warehouse) -> None:
    assert shown(warehouse, "ovr_switch") == ("void", "not_overridable")
    assert "PAYOUT_KILL_SWITCH_ACTIVE" in march(warehouse, "t_override_switch")


def test_emergency_switch_evidence_destination_and_capability_are_never_overridable(
    warehouse: Warehouse,
) -> None:
    rows = warehouse.rows("select * from work.seeds.gate_conditions where overridable")
    assert {row["condition_code"] for row in rows} == {
        "OPEN_BREAK",
        "DAILY_MISMATCH_THRESHOLD",
        "UNATTRIBUTED_EXPOSURE",
        "CROSS_PROVIDER_EXPOSURE",
    }


@pytest.mark.parametrize("name", LIFTS)
def test_a_lifted_condition_lets_one_payout_pass_as_it_was_observed(
    warehouse: Warehouse, name: str
) -> None:
    code = LIFTS[name][1]
    assert shown(warehouse, f"ovr_{name}") == ("void" if code else "effective", code)
    assert march(warehouse, f"t_{name}") == ({"OPEN_BREAK"} if code else set())


@pytest.mark.parametrize("name", WRITTEN)
def test_a_write_off_closes_exactly_what_two_people_saw(warehouse: Warehouse, name: str) -> None:
    _, verdict, code = WRITTEN[name]
    (act,) = warehouse.rows("select * from write_offs where write_off_id = ?", f"wof_{name}")
    assert (act["write_off_status"], act["void_code"]) == ("void" if code else "approved", code)
    months = warehouse.rows(
        "select * from reconciliation_runs where tenant_id = ? and period = '2026-02'",
        f"t_{name}",
    )
    assert [row["verdict"] for row in months] == [verdict]
    assert march(warehouse, f"t_{name}") == ({"OPEN_BREAK"} if verdict == "breaks" else set())
    told = warehouse.rows(
        "select explanation from reconciliation_drift where tenant_id = ? and period = '2026-02'",
        f"t_{name}",
    )
    ends_so = [row["explanation"].endswith("Written off by two people.") for row in told]
    assert any(ends_so) is (code is None)
    posted = warehouse.rows(
        "select sum(written_off_cents) as cents, sum(abs(residual_cents)) as residual "
        "from open_item_rollforward where tenant_id = ?",
        f"t_{name}",
    )
    assert posted == [{"cents": 0 if code else 5000, "residual": 0}]
    ends = warehouse.rows(
        "select distinct amount_cents from reconciliation_bridge "
        "where tenant_id = ? and line_code = 'residual'",
        f"t_{name}",
    )
    assert [row["amount_cents"] for row in ends] == [0]


def test_a_write_off_of_a_break_that_is_gone_says_so(warehouse: Warehouse) -> None:
    query = "select void_code from write_offs where write_off_id = ?"
    assert warehouse.rows(query, "wof_given_up_and_gone") == [{"void_code": "break_gone"}]


def test_what_was_revoked_before_its_approval_never_posts(warehouse: Warehouse) -> None:
    (said,) = warehouse.rows("select * from write_offs where write_off_id = 'wof_late'")
    assert said["write_off_status"] == "revoked"
    query = "select * from work.intermediate.int_write_offs where write_off_id = ?"
    assert warehouse.rows(query, "wof_late") == []


def test_a_break_tells_its_money_as_people_write_it(warehouse: Warehouse) -> None:
    (drift,) = warehouse.rows(
        "select * from reconciliation_drift where override_id = 'ovr_two_people'"
    )
    assert "Expected 50.00, found 0.00 USD. " in drift["explanation"]
